"""The lab: real etcd, Milvus, milvus-lite and milvus-cdc processes on the loopback interface."""
