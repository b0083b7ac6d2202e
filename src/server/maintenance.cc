#include "server/maintenance.h"

#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/log.h"
#include "server/config.h"
#include "server/nearest.h"

namespace cdc {
namespace {

using nlohmann::json;

// Null: not given.
json Param(const json& params, const std::string& name) {
  for (const auto& [key, value] : params.items()) {
    if (LowerCase(key) == name) return value;
  }
  return nullptr;
}

std::string SetLevel(const json& params) {
  const json wanted = Param(params, "log_level");
  if (wanted.is_null() || wanted == "") return "log_level is required";
  if (!wanted.is_string()) return "parse log level failed: 'log_level' must be a text";
  Result<LogLevel> level = ParseLogLevel(wanted);
  if (!level.ok()) return "parse log level failed: " + level.error().message;
  SetLogLevel(*level);
  return "set log level to " + LowerCase(wanted);
}

std::string SetForce(const json& params) {
  const json force = Param(params, "force");
  if (force.is_null()) return "force is required";
  if (!force.is_boolean()) return "parse force failed: 'force' must be true or false";
  return Format("set force log msg to {}", force.get<bool>() ? "true" : "false");
}

std::string ResetMessages(const json& params) {
  for (const char* name : {"count", "duration"}) {
    const json number = Param(params, name);
    if (number.is_null()) return Format("{} is required", name);
    if (!number.is_number_integer()) {
      return Format("parse {} failed: '{}' must be a whole number", name, name);
    }
  }
  return Format("reset log msg count to {}, duration to {}", Param(params, "count").dump(),
                Param(params, "duration").dump());
}

}  // namespace

std::string Maintain(const std::string& operation, const std::string& params) {
  json given = json::parse(params, nullptr, false);
  if (!given.is_object()) given = json::object();
  if (operation == "set_log_level") return SetLevel(given);
  if (operation == "set_force_log_msg") return SetForce(given);
  if (operation == "reset_log_msg") return ResetMessages(given);
  return "unsupported operation: " + operation;
}

}  // namespace cdc
