#include "server/config.h"

#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "base/format.h"
#include "server/nearest.h"
#include "server/yaml_section_impl.h"

namespace cdc {
namespace {

constexpr int kAny = std::numeric_limits<int>::max();

void ReadEtcd(YamlSection section, EtcdSection* etcd) {
  section.TextList("address", &etcd->addresses);
  section.Text("rootPath", &etcd->root_path);
  section.Text("metaSubPath", &etcd->meta_sub_path);
  section.Flag("enableAuth", &etcd->enable_auth);
  section.Text("username", &etcd->username);
  section.Text("password", &etcd->password);
  section.Flag("enableTLS", &etcd->enable_tls);
  section.Text("tlsCertPath", &etcd->tls_cert_path);
  section.Text("tlsKeyPath", &etcd->tls_key_path);
  section.Text("tlsCACertPath", &etcd->tls_ca_cert_path);
  if (section.Text("tlsMinVersion", &etcd->tls_min_version)) {
    // An unquoted 1.0 may have become 1 in tools that rewrite YAML.
    if (etcd->tls_min_version == "1") etcd->tls_min_version = "1.0";
    const std::string& v = etcd->tls_min_version;
    if (!v.empty() && v != "1.0" && v != "1.1" && v != "1.2" && v != "1.3") {
      section.Fail("tlsMinVersion", "must be \"1.0\", \"1.1\", \"1.2\" or \"1.3\"");
    }
  }
  if (section.Has("address") && etcd->addresses.empty()) section.Fail("address", "is empty");
  section.Finish();
}

void ReadPulsar(YamlSection section, PulsarConfig* pulsar) {
  section.Text("address", &pulsar->address);
  section.Text("webAddress", &pulsar->web_address);
  section.Number("webPort", &pulsar->web_port, 0, 65535);
  section.Text("maxMessageSize", &pulsar->max_message_size);
  section.Text("tenant", &pulsar->tenant);
  section.Text("namespace", &pulsar->name_space);
  section.Text("authPlugin", &pulsar->auth_plugin);
  section.Text("authParams", &pulsar->auth_params);
  section.Text("library", &pulsar->library);
  section.Text("tlsTrustCertsFilePath", &pulsar->tls_trust_certs_path);
  section.Flag("tlsAllowInsecureConnection", &pulsar->tls_allow_insecure);
  section.Flag("tlsValidateHostname", &pulsar->tls_validate_hostname);
  if (section.Has("tenant") && pulsar->tenant.empty()) section.Fail("tenant", "is empty");
  if (section.Has("namespace") && pulsar->name_space.empty()) section.Fail("namespace", "is empty");
  section.Finish();
}

void ReadKafka(YamlSection section, KafkaConfig* kafka) {
  section.Text("address", &kafka->address);
  section.TextMap("producer", &kafka->producer);
  section.TextMap("consumer", &kafka->consumer);
  section.Text("saslUsername", &kafka->sasl_username);
  section.Text("saslPassword", &kafka->sasl_password);
  section.Text("saslMechanisms", &kafka->sasl_mechanisms);
  section.Text("securityProtocol", &kafka->security_protocol);
  section.Finish();
}

void ReadMetaStore(YamlSection section, MetaStoreConfig* store) {
  if (section.Text("storeType", &store->store_type)) {
    store->store_type = LowerCase(store->store_type);
    const std::string& type = store->store_type;
    if (type != "sqlite" && type != "etcd" && type != "mysql") {
      section.Fail("storeType", Format("is '{}'; use sqlite", type));
    }
  }
  section.Text("rootPath", &store->root_path);
  section.Text("mysqlSourceUrl", &store->mysql_source_url);
  section.TextList("etcdEndpoints", &store->etcd.addresses);
  ReadEtcd(section.Section("etcd"), &store->etcd);
  YamlSection sqlite = section.Section("sqlite");
  if (sqlite.Text("path", &store->sqlite_path) && store->sqlite_path.empty()) {
    sqlite.Fail("path", "is empty; name the file in which tasks are kept");
  }
  sqlite.Finish();
  section.Finish();
}

void ReadSource(YamlSection section, SourceConfig* source) {
  ReadEtcd(section.Section("etcd"), &source->etcd);
  std::vector<std::string> old_addresses;
  const bool old_etcd = section.TextList("etcdAddress", &old_addresses) && !old_addresses.empty();
  // The older spelling, when it is used, replaces the etcd section as a whole.
  if (old_etcd) source->etcd = EtcdSection{.addresses = old_addresses};
  std::string root = source->etcd.root_path, sub = source->etcd.meta_sub_path;
  section.Text("etcdRootPath", &root);
  section.Text("etcdMetaSubPath", &sub);
  if (old_etcd) {
    source->etcd.root_path = root;
    source->etcd.meta_sub_path = sub;
  }
  if (!section.Text("replicateChan", &source->replicate_channel) ||
      source->replicate_channel.empty()) {
    source->replicate_channel = source->etcd.root_path + "-replicate-msg";
  }
  if (section.Number("timeTickInterval", &source->time_tick_interval_ms, 0, 3600 * 1000) &&
      source->time_tick_interval_ms == 0) {
    source->time_tick_interval_ms = 500;
  }
  section.Number("retentionCheckInterval", &source->retention_check_seconds, 1, 3600);
  section.Text("defaultPartitionName", &source->default_partition_name);
  int unused = 0;
  section.Number("readChanLen", &unused, 0, kAny);
  section.Number("channelNum", &unused, 0, kAny);

  YamlSection rocksmq = section.Section("rocksmq");
  const bool has_rocksmq = rocksmq.Text("path", &source->rocksmq_path);
  if (has_rocksmq && source->rocksmq_path.empty()) {
    rocksmq.Fail("path", "is empty; name the folder of the source's message store (rdb_data)");
  }
  rocksmq.Finish();
  ReadPulsar(section.Section("pulsar"), &source->pulsar);
  ReadKafka(section.Section("kafka"), &source->kafka);
  if (!has_rocksmq && !source->pulsar.address.empty()) {
    source->log = LogKind::kPulsar;
  } else if (!has_rocksmq && !source->kafka.address.empty()) {
    source->log = LogKind::kKafka;
  }
  section.Finish();
}

void ReadRetry(YamlSection section, RetryConfig* retry) {
  RetryConfig read;
  section.Number("retryTimes", &read.times, 0, kAny);
  section.Number("initBackOff", &read.initial_backoff_seconds, 0, kAny);
  section.Number("maxBackOff", &read.max_backoff_seconds, 0, kAny);
  section.Finish();
  // A zero in any of them means the defaults for all, as it always did.
  if (read.times != 0 && read.initial_backoff_seconds != 0 && read.max_backoff_seconds != 0) {
    *retry = read;
  }
}

void ReadPacker(YamlSection section) {
  int unused = 0;
  for (const char* key : {"timerInterval", "maxCount", "maxMsgSize", "memoryLimit"}) {
    section.Number(key, &unused, 0, kAny);
  }
  section.Finish();
}

void ReadServer(YamlSection section, ServerConfig* config) {
  section.Text("address", &config->address);
  section.Number("maxTaskNum", &config->max_task_num, 0, kAny);
  section.Number("maxNameLength", &config->max_name_length, 0, kAny);
  if (config->max_name_length == 0) config->max_name_length = 256;
  std::string level;
  if (section.Text("logLevel", &level) && !level.empty()) {
    Result<LogLevel> parsed = ParseLogLevel(level);
    if (parsed.ok()) {
      config->log_level = *parsed;
    } else {
      section.Fail("logLevel", Format("is '{}'; use debug, info, warn or error", level));
    }
  }
  section.Text("logFile", &config->log_file);
  bool unused = false;
  section.Flag("detectDeadLock", &unused);
  section.Flag("batchMode", &unused);
  section.Flag("enableReverse", &unused);
  section.Ignore("reverseMilvus");
  section.Ignore("currentMilvus");
  section.Flag("dryRun", &config->dry_run);
  section.Text("replicateID", &config->replicate_id);
  ReadRetry(section.Section("retry"), &config->retry);
  ReadPacker(section.Section("packer"));
  ReadMetaStore(section.Section("metaStoreConfig"), &config->meta_store);
  ReadSource(section.Section("sourceConfig"), &config->source);
  section.Finish();
}

}  // namespace

Result<LogLevel> ParseLogLevel(const std::string& text) {
  const std::string level = LowerCase(text);
  if (level == "debug") return LogLevel::kDebug;
  if (level == "info") return LogLevel::kInfo;
  if (level == "warn" || level == "warning") return LogLevel::kWarn;
  if (level == "error" || level == "dpanic" || level == "panic" || level == "fatal") {
    return LogLevel::kError;
  }
  return InvalidError("unrecognized level: \"" + text + "\"");
}

Result<ServerConfig> ParseConfig(const std::string& yaml, const std::string& name) {
  ServerConfig config;
  try {
    Status error;
    ReadServer(YamlSection(YAML::Load(yaml), "", name, &error), &config);
    if (!error.ok()) return error.error();
  } catch (const YAML::Exception& e) {
    return InvalidError(
        Format("{}:{}:{}: not valid YAML: {}", name, e.mark.line + 1, e.mark.column + 1, e.msg));
  }
  return config;
}

Result<ServerConfig> LoadConfig(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  if (in) text << in.rdbuf();
  if (!in || in.bad() || std::filesystem::is_directory(path)) {
    return InvalidError(Format("cannot read the configuration {}: check the path", path));
  }
  return ParseConfig(text.str(), path);
}

Status CheckSupported(const ServerConfig& config) {
  const auto refuse = [](const std::string& what) {
    return FatalError(what, ErrorKind::kUnsupported);
  };
  if (config.meta_store.store_type != "sqlite") {
    return refuse(Format("metaStoreConfig.storeType: {} is not supported yet; use sqlite",
                         config.meta_store.store_type));
  }
  // Writing although a dry run was asked for would be worse than not starting.
  if (config.dry_run) return refuse("dryRun: true is not supported yet; remove it");
  if (!config.replicate_id.empty()) {
    return refuse("replicateID (migration mode) is not supported yet; remove it");
  }
  return OkStatus();
}

}  // namespace cdc
