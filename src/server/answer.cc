#include "server/answer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "server/position_text.h"

namespace cdc {
namespace {

using nlohmann::json;

// Under this number the existing Milvus-CDC files the operation topic among the collections.
constexpr CollectionId kOperationTopic = -10;

std::string Success(json data) {
  return JsonLine({{"code", 200}, {"data", std::move(data)}});
}

json ProgressOf(const TaskStatus& task) {
  json collections = json::array();
  for (const CollectionStatus& c : task.collections) {
    collections.push_back({{"source_db", c.source_db},
                           {"source_collection", c.source_collection},
                           {"source_id", std::to_string(c.source_id)},
                           {"target_db", c.target_db},
                           {"target_collection", c.target_collection},
                           {"state", c.state}});
  }
  json progress = {{"safe_ts", std::to_string(task.safe_ts)},
                   {"safe_time_ms", PhysicalMillis(task.safe_ts)},
                   {"target_ts", std::to_string(task.target_ts)},
                   {"lag_ms", task.lag_ms},
                   {"rows_inserted", task.counters.rows_inserted},
                   {"rows_deleted", task.counters.rows_deleted},
                   {"rows_replayed", task.counters.rows_replayed},
                   {"collections", collections}};
  if (task.log_headroom_seconds) {
    progress["log_headroom_seconds"] = *task.log_headroom_seconds;
    progress["log_headroom_bytes"] = task.log_headroom_bytes;
  }
  return progress;
}

json PositionToJson(LogKind log, CollectionId collection, const std::string& channel,
                    const LogPosition& seek, Timestamp time) {
  const int64_t ms = PhysicalMillis(time);
  return {{"collection_id", collection},
          {"channel_name", channel},
          {"time", ms},
          {"tt", ComposeTimestamp(ms + 1)},
          {"msg_id", EncodePosition(channel, seek, log, time)}};
}

json TaskToJson(const TaskStatus& task) {
  // request_json is our own text; should it be unreadable, the rest is still worth showing.
  json out = json::parse(task.request_json, nullptr, false);
  if (!out.is_object()) out = json::object();
  out["task_id"] = task.id;
  out["state"] = ToString(task.state);
  if (!task.reason.empty()) out["reason"] = task.reason;
  out["mode"] = ToString(task.mode);
  out["mode_reason"] = task.mode_reason;
  out["health"] = ToString(task.health);
  out["health_reason"] = task.health_reason;
  out["progress"] = ProgressOf(task);
  return out;
}

}  // namespace

std::string OkAnswer() {
  return JsonLine({{"code", 200}});
}

std::string ErrorAnswer(int code, const std::string& message) {
  return JsonLine({{"code", code}, {"message", message}});
}

std::string CreatedAnswer(const std::string& task_id) {
  return Success({{"task_id", task_id}});
}

std::string TaskAnswer(const TaskStatus& task) {
  return Success({{"task", TaskToJson(task)}});
}

std::string TaskListAnswer(const std::vector<TaskStatus>& tasks) {
  json list = json::array();
  for (const TaskStatus& task : tasks) list.push_back(TaskToJson(task));
  return Success({{"tasks", list}});
}

std::string PositionAnswer(const std::vector<TaskProgress>& tasks,
                           const std::string& operation_topic, LogKind log) {
  json positions = json::array();
  json operations = json::array();
  for (const TaskProgress& task : tasks) {
    for (const auto& [id, object] : task.objects) {
      for (const std::string& channel : object.pchannels) {
        const auto at = task.channels.find(channel);
        if (at == task.channels.end()) continue;
        positions.push_back(PositionToJson(log, id, channel, at->second.seek, at->second.filter));
      }
    }
    if (!task.operations) continue;
    const json at = PositionToJson(log, kOperationTopic, operation_topic, *task.operations, 0);
    positions.push_back(at);
    operations.push_back(at);
  }
  return Success({{"positions", positions.empty() ? json() : positions},
                  {"op_positions", operations.empty() ? json() : operations},
                  {"target_positions", json()}});
}

std::string MaintenanceAnswer(const std::string& text) {
  return Success({{"State", text}});
}

std::string HealthAnswer(const std::vector<TaskStatus>& tasks) {
  const auto count = [&](auto predicate) {
    return std::count_if(tasks.begin(), tasks.end(), predicate);
  };
  return JsonLine(
      {{"status", "ok"},
       {"tasks",
        {{"total", tasks.size()},
         {"running", count([](const TaskStatus& t) { return t.state == TaskState::kRunning; })},
         {"paused", count([](const TaskStatus& t) { return t.state == TaskState::kPaused; })},
         {"warning", count([](const TaskStatus& t) { return t.health == Health::kWarning; })},
         {"failed", count([](const TaskStatus& t) { return t.health == Health::kFailed; })}}}});
}

}  // namespace cdc
