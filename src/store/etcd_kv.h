// A KvDb in etcd, below `<root path>/milvus-cdc/`. For store/ and whoever opens a store.
#pragma once

#include <memory>
#include <string>

#include "client/etcd/etcd_client.h"
#include "store/kv_db.h"

namespace cdc {

// Checks the configuration; does not connect. Errors: kInvalid.
Result<std::unique_ptr<KvDb>> OpenEtcdKv(const EtcdConfig& config, const std::string& root_path);

}  // namespace cdc
