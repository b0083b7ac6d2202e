#include "store/task_json.h"

#include <nlohmann/json.hpp>

#include "base/json_text.h"

namespace cdc {
namespace {

using nlohmann::json;

const char* const kLoadNames[] = {"follow", "once", "never"};
const char* const kDropNames[] = {"replicate", "hold"};

json PatternsToJson(const std::vector<NamePattern>& patterns) {
  json list = json::array();
  for (const NamePattern& p : patterns) {
    list.push_back({{"database", p.database}, {"collection", p.collection}});
  }
  return list;
}

std::vector<NamePattern> PatternsFromJson(const json& list) {
  std::vector<NamePattern> patterns;
  for (const json& item : list) {
    patterns.push_back({item.at("database"), item.at("collection")});
  }
  return patterns;
}

// Index of `name` among `names`; throws as json does.
template <size_t N>
int IndexOf(const char* const (&names)[N], const std::string& name) {
  for (size_t i = 0; i < N; ++i) {
    if (name == names[i]) return static_cast<int>(i);
  }
  throw std::out_of_range("unknown value '" + name + "'");
}

json TargetToJson(const TargetAddress& t) {
  return {{"host", t.host},
          {"port", t.port},
          {"tls", t.tls},
          {"ca_pem_path", t.ca_pem_path},
          {"client_pem_path", t.client_pem_path},
          {"client_key_path", t.client_key_path},
          {"server_name", t.server_name},
          {"connect_timeout_seconds", t.connect_timeout_seconds}};
}

TargetAddress TargetFromJson(const json& j) {
  TargetAddress t;
  t.host = j.value("host", t.host);
  t.port = j.value("port", t.port);
  t.tls = j.value("tls", t.tls);
  t.ca_pem_path = j.value("ca_pem_path", t.ca_pem_path);
  t.client_pem_path = j.value("client_pem_path", t.client_pem_path);
  t.client_key_path = j.value("client_key_path", t.client_key_path);
  t.server_name = j.value("server_name", t.server_name);
  t.connect_timeout_seconds = j.value("connect_timeout_seconds", t.connect_timeout_seconds);
  return t;
}

// Numbers of 64 bits are texts: many readers of JSON round them.
json StartToJson(const TaskStart& start) {
  json collections = json::object(), others = json::object(), adopted = json::array();
  for (const auto& [id, channels] : start.collections) {
    json& points = collections[std::to_string(id)] = json::object();
    for (const auto& [channel, point] : channels) {
      points[channel] = {{"from", ToString(point.from)}, {"after", std::to_string(point.after_ts)}};
    }
  }
  for (const auto& [channel, from] : start.others) others[channel] = ToString(from);
  for (const CollectionId id : start.adopted) adopted.push_back(std::to_string(id));
  return {{"collections", std::move(collections)},
          {"others", std::move(others)},
          {"adopted", std::move(adopted)},
          {"made", std::to_string(start.made_ts)}};
}

LogPosition PlaceFromJson(const json& j) {
  Result<LogPosition> place = ParseLogPosition(j.get<std::string>());
  if (!place.ok()) throw std::out_of_range(place.error().message);
  return *place;
}

TaskStart StartFromJson(const json& j) {
  TaskStart start;
  for (const auto& [id, channels] : j.at("collections").items()) {
    auto& points = start.collections[std::stoll(id)];
    for (const auto& [channel, point] : channels.items()) {
      points[channel] = {PlaceFromJson(point.at("from")),
                         std::stoull(point.at("after").get<std::string>())};
    }
  }
  for (const auto& [channel, from] : j.at("others").items()) {
    start.others[channel] = PlaceFromJson(from);
  }
  for (const json& id : j.at("adopted")) start.adopted.insert(std::stoll(id.get<std::string>()));
  start.made_ts = std::stoull(j.at("made").get<std::string>());
  return start;
}

// Throws json exceptions; the only caller turns them into an Error.
TaskSpec SpecFromJson(const json& j) {
  TaskSpec spec;
  spec.id = j.at("id");
  Result<TargetMode> mode = ParseTargetMode(j.at("mode"));
  if (!mode.ok()) throw std::out_of_range(mode.error().message);
  spec.mode = *mode;
  spec.mode_reason = j.value("mode_reason", "");
  spec.target = TargetFromJson(j.value("target", json::object()));
  spec.selection.includes = PatternsFromJson(j.at("includes"));
  spec.selection.excludes = PatternsFromJson(j.value("excludes", json::array()));
  for (const json& m : j.value("mappings", json::array())) {
    spec.selection.mappings.push_back({m.at("source_db"), m.at("target_db"), m.at("collections")});
  }
  spec.adopt = j.value("adopt", false);
  spec.load = static_cast<LoadPolicy>(IndexOf(kLoadNames, j.value("load", "follow")));
  spec.drops = static_cast<DropPolicy>(IndexOf(kDropNames, j.value("drops", "replicate")));
  spec.disable_auto_start = j.value("disable_auto_start", false);
  spec.ignore_partitions = j.value("ignore_partitions", false);
  spec.enable_user_role = j.value("enable_user_role", false);
  if (j.contains("start")) spec.start = StartFromJson(j.at("start"));
  spec.request_json = j.value("request_json", "");
  return spec;
}

}  // namespace

std::string TaskSpecToJson(const TaskSpec& spec) {
  json mappings = json::array();
  for (const NameMapping& m : spec.selection.mappings) {
    mappings.push_back({{"source_db", m.source_db},
                        {"target_db", m.target_db},
                        {"collections", json(m.collections)}});
  }
  json object = {{"id", spec.id},
                 {"mode", ToString(spec.mode)},
                 {"mode_reason", spec.mode_reason},
                 {"target", TargetToJson(spec.target)},
                 {"includes", PatternsToJson(spec.selection.includes)},
                 {"excludes", PatternsToJson(spec.selection.excludes)},
                 {"mappings", mappings},
                 {"adopt", spec.adopt},
                 {"load", kLoadNames[static_cast<int>(spec.load)]},
                 {"drops", kDropNames[static_cast<int>(spec.drops)]},
                 {"disable_auto_start", spec.disable_auto_start},
                 {"request_json", spec.request_json}};
  if (spec.ignore_partitions) object["ignore_partitions"] = true;
  if (spec.enable_user_role) object["enable_user_role"] = true;
  if (!spec.start.empty()) object["start"] = StartToJson(spec.start);
  return JsonLine(object);
}

Result<TaskSpec> TaskSpecFromJson(const std::string& text) {
  try {
    return SpecFromJson(json::parse(text));
  } catch (const std::exception& e) {
    return CorruptError(std::string("the stored task cannot be read: ") + e.what());
  }
}

std::string StringListToJson(const std::vector<std::string>& list) {
  return JsonLine(json(list));
}

Result<std::vector<std::string>> StringListFromJson(const std::string& text) {
  try {
    return json::parse(text).get<std::vector<std::string>>();
  } catch (const std::exception& e) {
    return CorruptError(std::string("a stored list cannot be read: ") + e.what());
  }
}

}  // namespace cdc
