#include "server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "server/nearest.h"

namespace cdc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ServerConfig Parse(const std::string& yaml) {
  Result<ServerConfig> config = ParseConfig(yaml, "cdc.yaml");
  EXPECT_TRUE(config.ok()) << config.error().message;
  return config.ok() ? *config : ServerConfig{};
}
std::string ParseError(const std::string& yaml) {
  Result<ServerConfig> config = ParseConfig(yaml, "cdc.yaml");
  return config.ok() ? "accepted" : config.error().message;
}

TEST(ConfigTest, NothingGivenIsAStandaloneOnThisHost) {
  for (const char* yaml : {"", "---\n", "{}", "sourceConfig:\nmetaStoreConfig:\n"}) {
    const ServerConfig config = Parse(yaml);
    EXPECT_EQ(config.address, "127.0.0.1:8444");
    EXPECT_EQ(config.max_task_num, 100);
    EXPECT_EQ(config.max_name_length, 256);
    EXPECT_THAT(config.source.etcd.addresses, ElementsAre("127.0.0.1:2379"));
    EXPECT_EQ(config.source.etcd.root_path, "by-dev");
    EXPECT_EQ(config.source.etcd.meta_sub_path, "meta");
    EXPECT_EQ(config.source.replicate_channel, "by-dev-replicate-msg");
    EXPECT_EQ(config.source.time_tick_interval_ms, 500);
    EXPECT_EQ(config.source.log, LogKind::kRocksmq);
    EXPECT_EQ(config.meta_store.store_type, "sqlite");
    EXPECT_TRUE(CheckSupported(config).ok());
  }
}

constexpr const char* kEveryKey = R"(
address: 0.0.0.0:8555
maxTaskNum: 7
maxNameLength: 64
logLevel: Debug
logFile: /tmp/x.log
detectDeadLock: false
batchMode: true
dryRun: true
replicateID: r1
enableReverse: false
reverseMilvus: {address: x}
currentMilvus: {address: y}
security:
  apiToken: t0ken
  insecureListen: true
  tls: {certFile: /c.pem, keyFile: /k.pem, clientCaFile: /ca.pem}
http: {maxConnections: 5, maxBodyBytes: 2048, requestTimeout: 9}
compatibility: {httpStatus: true}
retry: {retryTimes: 3, initBackOff: 2, maxBackOff: 9}
packer: {timerInterval: 5000, maxCount: 10, maxMsgSize: 524288, memoryLimit: 4194304}
metaStoreConfig:
  storeType: MySQL
  rootPath: cdc
  mysqlSourceUrl: root:root@tcp(127.0.0.1:3306)/milvuscdc?charset=utf8
  etcdEndpoints: []
  etcd:
    address: [m1:2379, m2:2379]
    rootPath: r
    metaSubPath: m
    enableAuth: true
    username: u
    password: p
    enableTLS: true
    tlsCertPath: c
    tlsKeyPath: k
    tlsCACertPath: ca
    tlsMinVersion: "1.2"
  sqlite:
    path: /var/lib/cdc.db
sourceConfig:
  etcd:
    address:
      - s1:2379
    rootPath: src
    metaSubPath: sub
    enableAuth: true
    username: su
    password: sp
    enableTLS: false
    tlsCertPath:
    tlsKeyPath:
    tlsCACertPath:
    tlsMinVersion: 1.3
  replicateChan: src-replicate-msg
  readChanLen: 10
  channelNum: 16
  timeTickInterval: 250
  retentionCheckInterval: 7
  defaultPartitionName: _default
  rocksmq:
    path: /data/rdb_data
  pulsar:
    address: pulsar://localhost:6650
    webAddress: localhost:80
    webPort: 8080
    maxMessageSize: 5242880
    tenant: public
    namespace: default
    authPlugin: org.x
    authParams: token:abc
    library: /opt/libpulsar.so
    tlsTrustCertsFilePath: /p.pem
    tlsAllowInsecureConnection: true
    tlsValidateHostname: false
  kafka:
    address: k:9092
    producer: {client.id: dc}
    consumer: {client.id: cc}
    saslUsername: ku
    saslPassword: kp
    saslMechanisms: PLAIN
    securityProtocol: SASL_SSL
)";

TEST(ConfigTest, EveryKeyIsRead) {
  const ServerConfig c = Parse(kEveryKey);
  EXPECT_EQ(c.address, "0.0.0.0:8555");
  EXPECT_EQ(c.max_task_num, 7);
  EXPECT_EQ(c.max_name_length, 64);
  EXPECT_EQ(c.log_level, LogLevel::kDebug);
  EXPECT_EQ(c.log_file, "/tmp/x.log");
  EXPECT_TRUE(c.dry_run);
  EXPECT_EQ(c.replicate_id, "r1");
  EXPECT_EQ(c.security.api_token, "t0ken");
  EXPECT_TRUE(c.security.insecure_listen);
  EXPECT_EQ(c.security.tls_cert_file, "/c.pem");
  EXPECT_EQ(c.security.tls_key_file, "/k.pem");
  EXPECT_EQ(c.security.tls_client_ca_file, "/ca.pem");
  EXPECT_EQ(c.http.max_connections, 5);
  EXPECT_EQ(c.http.max_body_bytes, 2048);
  EXPECT_EQ(c.http.request_timeout_seconds, 9);
  EXPECT_TRUE(c.http_status);
  EXPECT_EQ(c.retry.times, 3);
  EXPECT_EQ(c.retry.initial_backoff_seconds, 2);
  EXPECT_EQ(c.retry.max_backoff_seconds, 9);
  EXPECT_EQ(c.meta_store.store_type, "mysql");
  EXPECT_EQ(c.meta_store.root_path, "cdc");
  EXPECT_THAT(c.meta_store.mysql_source_url, HasSubstr("milvuscdc"));
  EXPECT_THAT(c.meta_store.etcd.addresses, ElementsAre("m1:2379", "m2:2379"));
  EXPECT_TRUE(c.meta_store.etcd.enable_tls);
  EXPECT_EQ(c.meta_store.etcd.tls_ca_cert_path, "ca");
  EXPECT_EQ(c.meta_store.etcd.tls_min_version, "1.2");
  EXPECT_EQ(c.meta_store.sqlite_path, "/var/lib/cdc.db");
  EXPECT_THAT(c.source.etcd.addresses, ElementsAre("s1:2379"));
  EXPECT_EQ(c.source.etcd.root_path, "src");
  EXPECT_EQ(c.source.etcd.meta_sub_path, "sub");
  EXPECT_TRUE(c.source.etcd.enable_auth);
  EXPECT_EQ(c.source.etcd.username, "su");
  EXPECT_EQ(c.source.etcd.password, "sp");
  EXPECT_EQ(c.source.replicate_channel, "src-replicate-msg");
  EXPECT_EQ(c.source.time_tick_interval_ms, 250);
  EXPECT_EQ(c.source.rocksmq_path, "/data/rdb_data");
  EXPECT_EQ(c.source.pulsar.address, "pulsar://localhost:6650");
  EXPECT_EQ(c.source.pulsar.web_port, 8080);
  EXPECT_EQ(c.source.pulsar.library, "/opt/libpulsar.so");
  EXPECT_EQ(c.source.pulsar.tls_trust_certs_path, "/p.pem");
  EXPECT_TRUE(c.source.pulsar.tls_allow_insecure);
  EXPECT_FALSE(c.source.pulsar.tls_validate_hostname);
  EXPECT_EQ(c.source.retention_check_seconds, 7);
  EXPECT_EQ(c.source.kafka.consumer.at("client.id"), "cc");
  EXPECT_EQ(c.source.kafka.sasl_password, "kp");
  EXPECT_EQ(c.source.log, LogKind::kRocksmq);  // its path is given: it wins
}

TEST(ConfigTest, KeysAreReadWithoutRegardToCase) {
  const ServerConfig c = Parse("SOURCECONFIG:\n  RocksMQ:\n    PATH: /x\nmaxtasknum: 3\n");
  EXPECT_EQ(c.source.rocksmq_path, "/x");
  EXPECT_EQ(c.max_task_num, 3);
}

TEST(ConfigTest, OlderSpellingsOfEtcd) {
  const ServerConfig c = Parse(
      "sourceConfig:\n  etcd: {address: [new:1], enableAuth: true}\n  etcdAddress: [old:1]\n"
      "  etcdRootPath: oldroot\n  etcdMetaSubPath: oldmeta\n"
      "metaStoreConfig: {etcdEndpoints: [e:1], etcd: {address: [new:2], enableTLS: true}}\n");
  EXPECT_THAT(c.source.etcd.addresses, ElementsAre("old:1"));
  EXPECT_EQ(c.source.etcd.root_path, "oldroot");
  EXPECT_EQ(c.source.etcd.meta_sub_path, "oldmeta");
  EXPECT_FALSE(c.source.etcd.enable_auth);
  EXPECT_EQ(c.source.replicate_channel, "oldroot-replicate-msg");
  EXPECT_THAT(c.meta_store.etcd.addresses, ElementsAre("e:1"));
  EXPECT_FALSE(c.meta_store.etcd.enable_tls);
}

TEST(ConfigTest, ZeroAndEmptyMeanTheDefaultWhereTheyDid) {
  const ServerConfig c = Parse(
      "retry: {retryTimes: 5, initBackOff: 0, maxBackOff: 2}\nmaxNameLength: 0\n"
      "address: ''\nlogLevel: ''\n"
      "sourceConfig: {timeTickInterval: 0, replicateChan: '', etcd: {rootPath: r}}\n");
  EXPECT_EQ(c.address, "127.0.0.1:8444");
  EXPECT_EQ(c.log_level, LogLevel::kInfo);
  EXPECT_EQ(c.source.replicate_channel, "r-replicate-msg");
  EXPECT_EQ(c.retry.times, 17280);
  EXPECT_EQ(c.retry.max_backoff_seconds, 10);
  EXPECT_EQ(c.max_name_length, 256);
  EXPECT_EQ(c.source.time_tick_interval_ms, 500);
}

TEST(ConfigTest, MistakesAreNamedWithTheirPlace) {
  const struct {
    const char* yaml;
    const char* message;
  } cases[] = {
      {"adress: x\n", "cdc.yaml:1:1: unknown key 'adress'; did you mean 'address'?"},
      {"address: x:1\nsourceConfig:\n  rocksmq:\n    pth: /x\n",
       "cdc.yaml:4:5: unknown key 'sourceConfig.rocksmq.pth'; did you mean 'path'?"},
      {"sourceConfig:\n  etcd:\n    adresses: [a]\n", "did you mean 'address'?"},
      {"sourceConfig:\n  replicateChannel: a\n", "did you mean 'replicateChan'?"},
      {"qwertzuiop: 1\n", "unknown key 'qwertzuiop'; known here: address, maxTaskNum"},
      {"maxTaskNum: many\n", "cdc.yaml:1:13: 'maxTaskNum' must be a whole number"},
      {"maxTaskNum: 1.5\n", "must be a whole number"},
      {"maxTaskNum: -1\n", "must be between 0"},
      {"maxTaskNum: 99999999999\n", "must be a whole number"},
      {"dryRun: maybe\n", "cdc.yaml:1:9: 'dryRun' must be true or false"},
      {"address: [a]\n", "'address' must be a text"},
      {"sourceConfig: 5\n", "'sourceConfig' must hold keys and values"},
      {"sourceConfig: [a]\n", "'sourceConfig' must hold keys and values"},
      {"- a\n", "the file must hold keys and values"},
      {"logFile: a\nLogfile: b\n", "cdc.yaml:2:1: key 'Logfile' is given twice"},
      {"address: [x\n", "not valid YAML"},
      {"a: b: c\n", "cdc.yaml:1:5: not valid YAML"},
      {"? [a]\n: b\n", "a key must be a word"},
      {"metaStoreConfig: {storeType: redis}\n",
       "'metaStoreConfig.storeType' is 'redis'; use sqlite, etcd or mysql"},
      {"metaStoreConfig: {sqlite: {path: ''}}\n", "'metaStoreConfig.sqlite.path' is empty"},
      {"sourceConfig: {rocksmq: {path: ''}}\n", "'sourceConfig.rocksmq.path' is empty"},
      {"sourceConfig: {etcd: {tlsMinVersion: '2'}}\n", "must be \"1.0\", \"1.1\""},
      {"sourceConfig: {etcd: {address: {a: b}}}\n", "must be a list of texts"},
      {"sourceConfig: {etcd: {address: []}}\n", "'sourceConfig.etcd.address' is empty"},
      {"sourceConfig: {kafka: {producer: [a]}}\n", "must hold keys and texts"},
      {"sourceConfig: {pulsar: {tenant: ''}}\n", "'sourceConfig.pulsar.tenant' is empty"},
      {"logLevel: loud\n", "'logLevel' is 'loud'; use debug, info, warn or error"},
      {"address: here\n", "cdc.yaml:1:10: 'address' is 'here', not host:port"},
      {"security: {apitokens: x}\n", "unknown key 'security.apitokens'; did you mean 'apiToken'?"},
      {"security: {apiToken: ''}\n", "'security.apiToken' is empty; give it a value"},
      {"security:\n  apiToken:\n", "'security.apiToken' is empty"},
      {"security: {apiToken: 'a b'}\n", "must be visible ASCII characters without spaces"},
      {"security: {tls: {certfile: ''}}\n", "'security.tls.certFile' is empty"},
      {"security: {tls: {cert: x}}\n", "unknown key 'security.tls.cert'; did you mean 'certFile'?"},
      {"http: {maxConnection: 1}\n", "did you mean 'maxConnections'?"},
      {"http: {maxConnections: 0}\n", "must be between 1 and 1000000"},
      {"compatibility: {httpstatuses: true}\n", "did you mean 'httpStatus'?"},
      {"retry: {retrytime: 1}\n", "unknown key 'retry.retrytime'; did you mean 'retryTimes'?"},
      {"packer: {maxcounts: 1}\n", "unknown key 'packer.maxcounts'; did you mean 'maxCount'?"},
      {"metaStoreConfig: {rootPaht: x}\n", "did you mean 'rootPath'?"},
      {"metaStoreConfig: {etcd: {adress: x}}\n", "unknown key 'metaStoreConfig.etcd.adress'"},
      {"metaStoreConfig: {sqlite: {file: x}}\n", "unknown key 'metaStoreConfig.sqlite.file'"},
      {"sourceConfig: {pulsar: {tenants: x}}\n", "did you mean 'tenant'?"},
      {"sourceConfig: {kafka: {saslUser: x}}\n", "did you mean 'saslUsername'?"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(ParseError(c.yaml), HasSubstr(c.message)) << c.yaml;
  }
}

TEST(ConfigTest, WhatIsNotSupportedYetIsRefusedWhereItIsAskedFor) {
  const struct {
    const char* yaml;
    const char* message;
  } cases[] = {
      {"dryRun: true\n", "dryRun"},
      {"replicateID: x\n", "replicateID"},
  };
  for (const auto& c : cases) {
    const Status status = CheckSupported(Parse(c.yaml));
    ASSERT_FALSE(status.ok()) << c.yaml;
    EXPECT_EQ(status.error().kind, ErrorKind::kUnsupported);
    EXPECT_THAT(status.error().message, HasSubstr(c.message));
  }
  EXPECT_TRUE(CheckSupported(Parse("sourceConfig: {kafka: {address: ''}}\n")).ok());
  EXPECT_TRUE(CheckSupported(Parse("metaStoreConfig: {storeType: etcd}\n")).ok());
  EXPECT_TRUE(CheckSupported(Parse("metaStoreConfig: {storeType: mysql}\n")).ok());
}

TEST(ConfigTest, FilesThatCannotBeReadAreNamed) {
  for (const char* path : {"/nowhere/cdc.yaml", "/tmp"}) {
    Result<ServerConfig> config = LoadConfig(path);
    ASSERT_FALSE(config.ok()) << path;
    EXPECT_THAT(config.error().message, HasSubstr(path));
  }
}

TEST(NearestTest, Words) {
  const std::vector<std::string> known{"address", "rootPath", "metaSubPath"};
  EXPECT_EQ(NearestWord("adress", known), "address");
  EXPECT_EQ(NearestWord("ROOTPAHT", known), "rootPath");
  EXPECT_EQ(NearestWord("root", known), "rootPath");
  EXPECT_EQ(NearestWord("zzz", known), "");
  EXPECT_EQ(NearestWord("", known), "");
  EXPECT_EQ(NearestWord(std::string(1000, 'a'), known), "");
  EXPECT_EQ(DidYouMean("q", {}), "");
}

}  // namespace
}  // namespace cdc
