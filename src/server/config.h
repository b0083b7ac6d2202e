// The configuration of the server, read from cdc.yaml. Plain values.
//
// Every key of the existing Milvus-CDC is accepted, keys compared without regard to case. Keys
// whose feature has no counterpart here (readChanLen, packer, batchMode, ...) are read, checked for
// their type and otherwise without effect; keys that ask for something not yet supported are
// refused by CheckSupported() with a message that says what to use instead. All keys are listed in
// docs/operations/configuration.md. Each can be overridden by the environment: see
// server/config_environment.h.
//
// Passwords in it are secrets: never log a ServerConfig as a whole.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"

namespace cdc {

struct EtcdSection {
  std::vector<std::string> addresses{"127.0.0.1:2379"};  // host:port
  std::string root_path = "by-dev";
  std::string meta_sub_path = "meta";
  bool enable_auth = false;
  std::string username;
  std::string password;  // secret
  bool enable_tls = false;
  std::string tls_cert_path;
  std::string tls_key_path;
  std::string tls_ca_cert_path;
  std::string tls_min_version = "1.3";
};

struct MetaStoreConfig {
  std::string store_type = "sqlite";  // sqlite | etcd | mysql, lower case
  std::string root_path;
  std::string mysql_source_url;  // secret: holds a password
  EtcdSection etcd;
  std::string sqlite_path = "milvus-cdc.db";
};

struct PulsarConfig {
  std::string address;
  std::string web_address;
  int web_port = 80;
  std::string max_message_size;
  std::string tenant = "public";
  std::string name_space = "default";
  std::string auth_plugin;
  std::string auth_params;               // secret
  std::string library = "libpulsar.so";  // of Apache's C++ client: a path, or a name to search for
  std::string tls_trust_certs_path;
  bool tls_allow_insecure = false;
  bool tls_validate_hostname = true;
};

struct KafkaConfig {
  std::string address;  // host:port, ...
  std::map<std::string, std::string> producer;
  std::map<std::string, std::string> consumer;
  std::string sasl_username;
  std::string sasl_password;  // secret
  std::string sasl_mechanisms;
  std::string security_protocol;
};

enum class LogKind { kRocksmq, kKafka, kPulsar };

struct SourceConfig {
  EtcdSection etcd;
  std::string replicate_channel = "by-dev-replicate-msg";  // default: <rootPath>-replicate-msg
  int time_tick_interval_ms = 500;
  std::string default_partition_name = "_default";
  int retention_check_seconds = 30;  // how often the log's beginning is looked at
  std::string rocksmq_path = "/var/lib/milvus/rdb_data";
  PulsarConfig pulsar;
  KafkaConfig kafka;
  // RocksMQ if its path is given, else Pulsar or Kafka if an address is given, else RocksMQ.
  LogKind log = LogKind::kRocksmq;
};

// Read, and without effect: calls are repeated until they succeed, with growing pauses.
struct RetryConfig {
  int times = 17280;
  int initial_backoff_seconds = 1;
  int max_backoff_seconds = 10;
};

struct SecurityConfig {
  std::string api_token;  // secret; what clients must send as bearer token; empty: nothing
  // PEM files of the listener; empty: plain HTTP. See HttpTls in server/http_server.h.
  std::string tls_cert_file;
  std::string tls_key_file;
  std::string tls_client_ca_file;
  bool insecure_listen = false;  // no warning about a listener that anybody can reach
};

struct HttpConfig {
  int max_connections = 1000;
  int max_body_bytes = 16 * 1024 * 1024;
  int request_timeout_seconds = 120;
};

struct ServerConfig {
  std::string address = "127.0.0.1:8444";  // host:port to listen on; ":8444": every interface
  int max_task_num = 100;
  int max_name_length = 256;
  LogLevel log_level = LogLevel::kInfo;
  std::string log_file;  // beside standard error; empty: none
  bool dry_run = false;
  std::string replicate_id;
  bool http_status = false;  // POST /cdc answers with the HTTP status that the outcome deserves
  SecurityConfig security;
  HttpConfig http;
  RetryConfig retry;
  MetaStoreConfig meta_store;
  SourceConfig source;
};

// Reads a file (an empty path: none), and the environment of the process over it. Errors: kInvalid,
// "file:line:column: what is wrong, and what to write instead". ReadConfigFile tells all of them.
Result<ServerConfig> LoadConfig(const std::string& path);
// The same from text, without the environment; `name` stands for the file in messages.
Result<ServerConfig> ParseConfig(const std::string& yaml, const std::string& name);

// kUnsupported when the configuration asks for something this version cannot do.
Status CheckSupported(const ServerConfig& config);

// Accepts debug, info, warn, warning, error and the field's other names (panic, fatal).
Result<LogLevel> ParseLogLevel(const std::string& text);

}  // namespace cdc
