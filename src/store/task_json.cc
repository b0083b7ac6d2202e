#include "store/task_json.h"

#include <nlohmann/json.hpp>

namespace cdc {
namespace {

using nlohmann::json;

const char* const kLoadNames[] = {"follow", "once", "never"};
const char* const kDropNames[] = {"replicate", "hold"};

std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

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
  return Dump({{"id", spec.id},
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
               {"request_json", spec.request_json}});
}

Result<TaskSpec> TaskSpecFromJson(const std::string& text) {
  try {
    return SpecFromJson(json::parse(text));
  } catch (const std::exception& e) {
    return CorruptError(std::string("the stored task cannot be read: ") + e.what());
  }
}

std::string StringListToJson(const std::vector<std::string>& list) {
  return Dump(json(list));
}

Result<std::vector<std::string>> StringListFromJson(const std::string& text) {
  try {
    return json::parse(text).get<std::vector<std::string>>();
  } catch (const std::exception& e) {
    return CorruptError(std::string("a stored list cannot be read: ") + e.what());
  }
}

}  // namespace cdc
