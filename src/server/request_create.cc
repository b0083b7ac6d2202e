#include "server/request_create.h"

#include <algorithm>

#include "base/format.h"
#include "base/json_text.h"
#include "server/position_text.h"

namespace cdc {
namespace {

using nlohmann::json;

MilvusFields ReadMilvus(JsonFields section) {
  MilvusFields m;
  section.Text("uri", &m.uri);
  section.Text("host", &m.host);
  section.Number("port", &m.port);
  section.Flag("enable_tls", &m.enable_tls);
  section.Text("username", &m.username);
  section.Text("password", &m.password);
  section.Text("token", &m.token);
  section.Number("channel_num", &m.channel_num);
  section.Flag("ignore_partition", &m.ignore_partition);
  section.Number("connect_timeout", &m.connect_timeout);
  section.Text("mode", &m.mode);
  JsonFields dial = section.Section("dial_config");
  dial.Text("server_name", &m.server_name);
  dial.Text("server_pem_path", &m.server_pem_path);
  dial.Text("ca_pem_path", &m.ca_pem_path);
  dial.Text("client_pem_path", &m.client_pem_path);
  dial.Text("client_key_path", &m.client_key_path);
  dial.Finish();
  section.Finish();
  m.given = !m.uri.empty() || !m.host.empty() || m.port != 0;
  return m;
}

KafkaFields ReadKafka(JsonFields section) {
  KafkaFields k;
  section.Text("address", &k.address);
  section.Text("topic", &k.topic);
  section.Flag("enable_sasl", &k.enable_sasl);
  JsonFields sasl = section.Section("sasl");
  sasl.Text("username", &k.sasl_username);
  sasl.Text("password", &k.sasl_password);
  sasl.Text("mechanisms", &k.sasl_mechanisms);
  sasl.Text("security_protocol", &k.sasl_protocol);
  sasl.Finish();
  section.Finish();
  return k;
}

std::vector<CollectionFields> ReadCollections(const json& list, const std::string& path,
                                              FieldErrors* errors) {
  std::vector<CollectionFields> collections;
  for (const json& item : list) {
    JsonFields section(item, path + "[" + std::to_string(collections.size()) + "]", errors);
    CollectionFields c;
    section.Text("name", &c.name);
    section.TextMap("positions", &c.positions);
    section.Flag("use_start_position", &c.use_start_position);
    section.Finish();
    collections.push_back(std::move(c));
  }
  return collections;
}

void ReadSelection(JsonFields* data, CreateFields* f, FieldErrors* errors) {
  if (const json* list = data->List("collection_infos")) {
    f->collection_infos = ReadCollections(*list, "collection_infos", errors);
  }
  if (const json* object = data->Object("db_collections")) {
    for (const auto& [database, list] : object->items()) {
      const std::string path = "db_collections." + database.substr(0, 100);
      if (!list.is_array() && !list.is_null()) data->WrongType(path, "a list");
      f->db_collections[database] =
          list.is_array() ? ReadCollections(list, path, errors) : std::vector<CollectionFields>{};
    }
  }
  if (const json* list = data->List("name_mapping")) {
    for (const json& item : *list) {
      JsonFields section(item, "name_mapping[" + std::to_string(f->name_mapping.size()) + "]",
                         errors);
      NameMapping m;
      section.Text("source_db", &m.source_db);
      section.Text("target_db", &m.target_db);
      section.TextMap("collection_mapping", &m.collections);
      section.Finish();
      f->name_mapping.push_back(std::move(m));
    }
  }
  data->TextList("exclude_collections", &f->exclude_collections);
}

Status CheckDownstream(const CreateFields& f) {
  if (f.blackhole && (f.milvus.given || !f.kafka.address.empty())) {
    return InvalidError(
        "blackhole_connect_param stands alone: leave milvus_connect_param and "
        "kafka_connect_param out");
  }
  if (f.blackhole) return OkStatus();
  if (!f.milvus.given && f.kafka.address.empty()) {
    return InvalidError("the downstream address is empty");
  }
  if (f.milvus.given && !f.kafka.address.empty()) {
    return InvalidError("don't support milvus and kafka at the same time now");
  }
  if (f.kafka.address.empty()) return OkStatus();
  if (f.kafka.topic.empty()) return InvalidError("the kafka topic is empty");
  return InvalidError("kafka as a target is not supported yet; use milvus_connect_param");
}

// Where the operation topic is to be read from.
Status ReadOperationsStart(const CreateFields& f, const RequestLimits& limits,
                           StartRequest* start) {
  if (!f.rpc_channel_name.empty() && f.rpc_channel_name != limits.replicate_channel) {
    return InvalidError(
        "the rpc channel is invalid, the channel name should be the same as the "
        "source config");
  }
  if (f.rpc_channel_position.empty()) return OkStatus();
  Result<PositionText> position = DecodePosition(f.rpc_channel_position);
  if (!position.ok()) {
    return CorruptError("fail to decode the rpc position data: " + position.error().message);
  }
  // The existing Milvus-CDC adds "_TASKv0" to the name here and there.
  const std::string& named = position->channel;
  if (!named.empty() && named != limits.replicate_channel &&
      named.rfind(limits.replicate_channel + "_", 0) != 0) {
    return InvalidError(
        Format("the position in rpc_channel_info is one of another channel, {}", named));
  }
  start->operations = std::move(position->message_id);
  return OkStatus();
}

template <typename Policy>
Status ParseChoice(const char* key, const std::string& text,
                   std::initializer_list<std::pair<const char*, Policy>> choices, Policy* out) {
  std::string names;
  for (const auto& [name, value] : choices) {
    if (text == name) {
      *out = value;
      return OkStatus();
    }
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  if (text.empty()) return OkStatus();
  return InvalidError(Format("'{}' is '{}'; use one of: {}", key, text, names));
}

Status CheckTaskId(const std::string& id) {
  const auto continued = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  const auto more = std::count_if(id.begin(), id.end(), continued);  // bytes of one character
  const size_t characters = id.size() - static_cast<size_t>(more);
  for (const char c : id) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '/' || characters > 128) {
      return InvalidError("the task_id must be at most 128 characters without blanks and slashes");
    }
  }
  return OkStatus();
}

}  // namespace

CreateFields ReadCreate(const json& data, FieldErrors* errors) {
  JsonFields section(data, "", errors);
  CreateFields f;
  f.milvus = ReadMilvus(section.Section("milvus_connect_param"));
  f.kafka = ReadKafka(section.Section("kafka_connect_param"));
  f.blackhole = section.Has("blackhole_connect_param");
  section.Section("blackhole_connect_param").Finish();
  ReadSelection(&section, &f, errors);
  JsonFields rpc = section.Section("rpc_channel_info");
  rpc.Text("name", &f.rpc_channel_name);
  rpc.Text("position", &f.rpc_channel_position);
  rpc.Finish();
  JsonFields extra = section.Section("extra_info");
  extra.Flag("enable_user_role", &f.enable_user_role);
  extra.Finish();
  JsonFields buffer = section.Section("buffer_config");
  buffer.Number("period", &f.cache_period);
  buffer.Number("size", &f.cache_size);
  buffer.Finish();
  section.Ignore("positions");
  section.Flag("disable_auto_start", &f.disable_auto_start);
  section.Text("task_id", &f.task_id);
  section.Flag("adopt", &f.adopt);
  section.Text("load", &f.load);
  section.Text("drops", &f.drops);
  section.Finish();
  return f;
}

Result<TaskSpec> ValidateCreate(const CreateFields& f, const RequestLimits& limits) {
  TaskSpec spec;
  CDC_RETURN_IF_ERROR(CheckDownstream(f));
  if (f.blackhole) {
    spec.mode = TargetMode::kBlackhole;
    spec.mode_reason = "asked for by blackhole_connect_param";
  } else {
    CDC_ASSIGN_OR_RETURN(spec.target, ValidateMilvus(f.milvus));
    CDC_ASSIGN_OR_RETURN(spec.mode, ParseTargetMode(f.milvus.mode));
    if (spec.mode == TargetMode::kBlackhole) {
      return InvalidError(
          "mode 'blackhole' is not a mode of a Milvus; use blackhole_connect_param");
    }
  }
  if (f.cache_period < 0) return InvalidError("the cache period is less zero");
  if (f.cache_size < 0) return InvalidError("the cache size is less zero");
  CDC_RETURN_IF_ERROR(ValidateSelection(f, limits, &spec.selection, &spec.start_request));
  CDC_RETURN_IF_ERROR(ReadOperationsStart(f, limits, &spec.start_request));
  if (f.enable_user_role && f.blackhole) {
    return InvalidError("extra_info.enable_user_role needs a Milvus as target");
  }
  CDC_RETURN_IF_ERROR(CheckTaskId(f.task_id));
  CDC_RETURN_IF_ERROR(ParseChoice<LoadPolicy>(
      "load", f.load,
      {{"follow", LoadPolicy::kFollow}, {"once", LoadPolicy::kOnce}, {"never", LoadPolicy::kNever}},
      &spec.load));
  CDC_RETURN_IF_ERROR(ParseChoice<DropPolicy>(
      "drops", f.drops, {{"replicate", DropPolicy::kReplicate}, {"hold", DropPolicy::kHold}},
      &spec.drops));
  spec.id = f.task_id;
  spec.adopt = f.adopt;
  spec.disable_auto_start = f.disable_auto_start;
  spec.ignore_partitions = f.milvus.ignore_partition;
  spec.enable_user_role = f.enable_user_role;
  spec.request_json = EchoOf(f);
  return spec;
}

namespace {

// username, password and token are secrets: they are not in here.
json EchoMilvus(const MilvusFields& m) {
  json dial = json::object();
  const std::pair<const char*, const std::string*> paths[] = {
      {"server_name", &m.server_name},         {"server_pem_path", &m.server_pem_path},
      {"ca_pem_path", &m.ca_pem_path},         {"client_pem_path", &m.client_pem_path},
      {"client_key_path", &m.client_key_path},
  };
  for (const auto& [key, value] : paths) {
    if (!value->empty()) dial[key] = *value;
  }
  return {{"uri", m.uri},
          {"host", m.host},
          {"port", m.port},
          {"enable_tls", m.enable_tls},
          {"dial_config", dial},
          {"channel_num", m.channel_num},
          {"ignore_partition", m.ignore_partition},
          {"connect_timeout", m.connect_timeout},
          {"mode", m.mode.empty() ? "auto" : m.mode}};
}

json EchoCollections(const std::vector<CollectionFields>& collections) {
  json list = json::array();
  for (const CollectionFields& c : collections) {
    list.push_back({{"name", c.name},
                    {"positions", json(c.positions)},
                    {"use_start_position", c.use_start_position}});
  }
  return list;
}

}  // namespace

std::string EchoOf(const CreateFields& f) {
  json databases = json::object();
  for (const auto& [database, infos] : f.db_collections)
    databases[database] = EchoCollections(infos);
  json mappings = json::array();
  for (const NameMapping& m : f.name_mapping) {
    mappings.push_back({{"source_db", m.source_db},
                        {"target_db", m.target_db},
                        {"collection_mapping", json(m.collections)}});
  }
  json echo = {{"milvus_connect_param", EchoMilvus(f.milvus)},
               {"kafka_connect_param",
                {{"address", ""}, {"topic", ""}, {"enable_sasl", false}, {"sasl", json::object()}}},
               {"collection_infos",
                f.collection_infos.empty() ? json(nullptr) : EchoCollections(f.collection_infos)},
               {"db_collections", databases},
               {"name_mapping", mappings},
               {"exclude_collections", f.exclude_collections},
               {"disable_auto_start", f.disable_auto_start},
               {"adopt", f.adopt},
               {"load", f.load.empty() ? "follow" : f.load},
               {"drops", f.drops.empty() ? "replicate" : f.drops}};
  if (f.blackhole) echo["blackhole_connect_param"] = json::object();
  return JsonLine(echo);
}

}  // namespace cdc
