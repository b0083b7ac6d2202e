#include "server/config.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "base/format.h"
#include "server/config_reading.h"
#include "server/http_server.h"
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
  section.Secret("password", &etcd->password);
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
  section.NoEffect("tlsMinVersion", "no effect: TLS 1.2 or newer is spoken");
  if (section.Has("address") && etcd->addresses.empty()) section.Fail("address", "is empty");
  section.Finish();
}

// The section etcd, unless older keys say the same: they replace it as a whole.
void ReadEtcdUnless(const EtcdSection& older, const char* keys, YamlSection section,
                    EtcdSection* etcd) {
  if (older.addresses.empty()) return ReadEtcd(std::move(section), etcd);
  EtcdSection replaced;
  section.NoEffect(Format("replaced by {}", keys));
  ReadEtcd(std::move(section), &replaced);
  *etcd = older;
}

void ReadPulsar(YamlSection section, PulsarConfig* pulsar) {
  section.Text("address", &pulsar->address);
  section.Text("webAddress", &pulsar->web_address);
  section.Number("webPort", &pulsar->web_port, 0, 65535);
  section.Text("maxMessageSize", &pulsar->max_message_size);
  for (const char* key : {"webAddress", "webPort", "maxMessageSize"}) {
    section.NoEffect(key, "no effect");
  }
  section.Text("tenant", &pulsar->tenant);
  section.Text("namespace", &pulsar->name_space);
  section.Text("authPlugin", &pulsar->auth_plugin);
  section.Secret("authParams", &pulsar->auth_params);
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
  section.NoEffect("producer", "no effect");
  section.TextMap("consumer", &kafka->consumer);
  section.Text("saslUsername", &kafka->sasl_username);
  section.Secret("saslPassword", &kafka->sasl_password);
  section.Text("saslMechanisms", &kafka->sasl_mechanisms);
  section.Text("securityProtocol", &kafka->security_protocol);
  section.Finish();
}

void ReadMetaStore(YamlSection section, MetaStoreConfig* store) {
  std::string type = store->store_type;
  section.Text("storeType", &type);
  type = LowerCase(type);
  if (type == "sqlite" || type == "etcd" || type == "mysql") {
    store->store_type = type;
  } else {
    section.Fail("storeType",
                 Format("is '{}'; use sqlite, etcd or mysql", section.Shown("storeType", type)));
  }
  section.Text("rootPath", &store->root_path);
  section.Secret("mysqlSourceUrl", &store->mysql_source_url);
  EtcdSection older{.addresses = {}};
  section.TextList("etcdEndpoints", &older.addresses);
  ReadEtcdUnless(older, "etcdEndpoints", section.Section("etcd"), &store->etcd);
  YamlSection sqlite = section.Section("sqlite");
  if (sqlite.Text("path", &store->sqlite_path) && store->sqlite_path.empty()) {
    sqlite.Fail("path", "is empty; name the file in which tasks are kept");
  }
  sqlite.Finish();
  section.Finish();
}

// RocksMQ if its path is given, else Pulsar or Kafka if an address is given, else RocksMQ.
void ReadSourceLog(YamlSection* section, SourceConfig* source) {
  YamlSection rocksmq = section->Section("rocksmq");
  const bool has_rocksmq = rocksmq.Text("path", &source->rocksmq_path);
  if (has_rocksmq && source->rocksmq_path.empty()) {
    rocksmq.Fail("path", "is empty; name the folder of the source's message store (rdb_data)");
  }
  rocksmq.Finish();
  ReadPulsar(section->Section("pulsar"), &source->pulsar);
  ReadKafka(section->Section("kafka"), &source->kafka);
  if (has_rocksmq) return;
  if (!source->pulsar.address.empty()) {
    source->log = LogKind::kPulsar;
    rocksmq.NoEffect("path", "not used beside sourceConfig.pulsar.address");
  } else if (!source->kafka.address.empty()) {
    source->log = LogKind::kKafka;
    rocksmq.NoEffect("path", "not used beside sourceConfig.kafka.address");
  }
}

void ReadSource(YamlSection section, SourceConfig* source) {
  EtcdSection older{.addresses = {}};
  section.TextList("etcdAddress", &older.addresses);
  section.Text("etcdRootPath", &older.root_path);
  section.Text("etcdMetaSubPath", &older.meta_sub_path);
  if (older.addresses.empty()) {
    section.NoEffect("etcdRootPath", "no effect without etcdAddress");
    section.NoEffect("etcdMetaSubPath", "no effect without etcdAddress");
  }
  ReadEtcdUnless(older, "etcdAddress", section.Section("etcd"), &source->etcd);
  source->replicate_channel = source->etcd.root_path + "-replicate-msg";
  section.FilledText("replicateChan", &source->replicate_channel);
  section.NumberOrDefault("timeTickInterval", &source->time_tick_interval_ms, 3600 * 1000);
  section.Number("retentionCheckInterval", &source->retention_check_seconds, 1, 3600);
  section.Text("defaultPartitionName", &source->default_partition_name);
  int unused = 0;
  section.Number("readChanLen", &unused, 0, kAny);
  unused = 0;
  section.Number("channelNum", &unused, 0, kAny);
  for (const char* key : {"defaultPartitionName", "readChanLen", "channelNum"}) {
    section.NoEffect(key, "no effect");
  }
  ReadSourceLog(&section, source);
  section.Finish();
}

void ReadRetry(YamlSection section, RetryConfig* retry) {
  section.NoEffect("no effect");
  section.Number("retryTimes", &retry->times, 0, kAny);
  section.Number("initBackOff", &retry->initial_backoff_seconds, 0, kAny);
  section.Number("maxBackOff", &retry->max_backoff_seconds, 0, kAny);
  section.Finish();
  // A zero in any of them means the defaults for all, as it always did.
  if (retry->times == 0 || retry->initial_backoff_seconds == 0 || retry->max_backoff_seconds == 0) {
    *retry = {};
  }
}

void ReadPacker(YamlSection section) {
  section.NoEffect("no effect");
  for (const char* key : {"timerInterval", "maxCount", "maxMsgSize", "memoryLimit"}) {
    int unused = 0;
    section.Number(key, &unused, 0, kAny);
  }
  section.Finish();
}

// What protects the listener must not vanish because a variable was empty.
void RequireIfNamed(const char* key, const std::string& value, YamlSection* section) {
  if (section->Names(key)) {
    if (value.empty()) section->Fail(key, "is empty; give it a value, or remove the key");
  } else {
    section->NoEffect(key, "not set");
  }
}

void ReadSecurity(YamlSection section, SecurityConfig* security) {
  const std::string& token = security->api_token;
  section.Secret("apiToken", &security->api_token);
  RequireIfNamed("apiToken", token, &section);
  if (!std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; })) {
    section.Fail("apiToken", "must be visible ASCII characters without spaces");
  }
  section.Flag("insecureListen", &security->insecure_listen);
  YamlSection tls = section.Section("tls");
  tls.Text("certFile", &security->tls_cert_file);
  tls.Text("keyFile", &security->tls_key_file);
  tls.Text("clientCaFile", &security->tls_client_ca_file);
  RequireIfNamed("certFile", security->tls_cert_file, &tls);
  RequireIfNamed("keyFile", security->tls_key_file, &tls);
  RequireIfNamed("clientCaFile", security->tls_client_ca_file, &tls);
  tls.Finish();
  section.Finish();
}

void ReadHttp(YamlSection section, HttpConfig* http) {
  section.Number("maxConnections", &http->max_connections, 1, 1'000'000);
  section.Number("maxBodyBytes", &http->max_body_bytes, 1024, 1 << 30);
  section.Number("requestTimeout", &http->request_timeout_seconds, 1, 24 * 3600);
  section.Finish();
}

void ReadLogging(YamlSection* section, ServerConfig* config) {
  std::string level = "info";
  section->FilledText("logLevel", &level);
  Result<LogLevel> parsed = ParseLogLevel(level);
  if (parsed.ok()) {
    config->log_level = *parsed;
  } else {
    section->Fail("logLevel", Format("is '{}'; use debug, info, warn or error",
                                     section->Shown("logLevel", level)));
  }
  section->Text("logFile", &config->log_file);
}

void ReadServer(YamlSection section, ServerConfig* config) {
  std::string host;
  uint16_t port = 0;
  if (section.FilledText("address", &config->address) &&
      !SplitAddress(config->address, &host, &port).ok()) {
    section.Fail("address", Format("is '{}', not host:port such as 127.0.0.1:8444",
                                   section.Shown("address", config->address)));
  }
  section.Number("maxTaskNum", &config->max_task_num, 0, kAny);
  section.NumberOrDefault("maxNameLength", &config->max_name_length, kAny);
  ReadLogging(&section, config);
  for (const char* key : {"detectDeadLock", "batchMode", "enableReverse"}) {
    bool unused = false;
    section.Flag(key, &unused);
    section.NoEffect(key, "no effect");
  }
  section.Ignore("reverseMilvus");
  section.Ignore("currentMilvus");
  section.Flag("dryRun", &config->dry_run);
  section.Text("replicateID", &config->replicate_id);
  ReadSecurity(section.Section("security"), &config->security);
  ReadHttp(section.Section("http"), &config->http);
  YamlSection compatibility = section.Section("compatibility");
  compatibility.Flag("httpStatus", &config->http_status);
  compatibility.Finish();
  ReadRetry(section.Section("retry"), &config->retry);
  ReadPacker(section.Section("packer"));
  ReadMetaStore(section.Section("metaStoreConfig"), &config->meta_store);
  ReadSource(section.Section("sourceConfig"), &config->source);
  section.Finish();
}

// The first of the errors, for those who have room for one.
Result<ServerConfig> FirstError(ConfigReading reading) {
  if (reading.errors.empty()) return std::move(reading.config);
  const size_t more = reading.errors.size() - 1;
  return InvalidError(
      reading.errors[0] +
      (more == 0 ? "" : Format(" (and {} more: see milvus-cdc config check)", more)));
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

ConfigReading ReadConfig(const std::string& yaml, const std::string& name,
                         const Environment& environment) {
  ConfigReading reading;
  YamlContext context{name, environment, ConfigOverrides(environment), {}, {}};
  try {
    ReadServer(YamlSection(YAML::Load(yaml), "", &context), &reading.config);
  } catch (const YAML::Exception& e) {
    reading.errors.push_back(
        Format("{}:{}:{}: not valid YAML: {}", name, e.mark.line + 1, e.mark.column + 1, e.msg));
    return reading;
  }
  std::stable_sort(context.mistakes.begin(), context.mistakes.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  for (auto& mistake : context.mistakes) reading.errors.push_back(std::move(mistake.text));
  reading.entries = std::move(context.entries);
  std::vector<std::string> keys;
  for (const ConfigEntry& entry : reading.entries) keys.push_back(entry.key);
  for (const std::string& line : context.overrides.errors()) reading.errors.push_back(line);
  for (std::string& line : context.overrides.Unknown(keys)) {
    reading.errors.push_back(std::move(line));
  }
  return reading;
}

ConfigReading ReadConfigFile(const std::string& path, const Environment& environment) {
  if (path.empty()) return ReadConfig("", "configuration", environment);
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  if (in) text << in.rdbuf();
  if (!in || in.bad() || std::filesystem::is_directory(path)) {
    ConfigReading reading;
    reading.errors.push_back(Format("cannot read the configuration {}: check the path", path));
    return reading;
  }
  return ReadConfig(text.str(), path, environment);
}

Result<ServerConfig> ParseConfig(const std::string& yaml, const std::string& name) {
  return FirstError(ReadConfig(yaml, name, {}));
}

Result<ServerConfig> LoadConfig(const std::string& path) {
  return FirstError(ReadConfigFile(path, ProcessEnvironment()));
}

Status CheckSupported(const ServerConfig& config) {
  const auto refuse = [](const std::string& what) {
    return FatalError(what, ErrorKind::kUnsupported);
  };
  // Writing although a dry run was asked for would be worse than not starting.
  if (config.dry_run) return refuse("dryRun: true is not supported yet; remove it");
  if (!config.replicate_id.empty()) {
    return refuse("replicateID (migration mode) is not supported yet; remove it");
  }
  return OkStatus();
}

}  // namespace cdc
