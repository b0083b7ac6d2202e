#include "server/v1_json.h"

#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "server/position_text.h"

namespace cdc {
namespace {

using nlohmann::json;

// Unix milliseconds; 0 and nullopt: not known.
json Millis(std::optional<int64_t> ms) {
  return ms.value_or(0) == 0 ? json() : json(*ms);
}

json TargetOf(TargetMode mode, const std::string& uri) {
  if (mode == TargetMode::kBlackhole) return {{"kind", "blackhole"}, {"uri", nullptr}};
  return {{"kind", "milvus"}, {"uri", uri}};
}

json PatternsOf(const std::vector<NamePattern>& patterns) {
  json list = json::array();
  for (const NamePattern& p : patterns) list.push_back(p.database + "." + p.collection);
  return list;
}

json SelectionOf(const Selection& selection) {
  json mappings = json::array();
  for (const NameMapping& m : selection.mappings) {
    json names = json::object();
    for (const auto& [source, target] : m.collections) names[source] = target;
    mappings.push_back(
        {{"source_db", m.source_db}, {"target_db", m.target_db}, {"collection_mapping", names}});
  }
  return {{"includes", PatternsOf(selection.includes)},
          {"excludes", PatternsOf(selection.excludes)},
          {"name_mapping", mappings}};
}

json NamesOf(const CollectionStatus& c) {
  return {{"source_db", c.source_db},
          {"source_collection", c.source_collection},
          {"source_id", std::to_string(c.source_id)},
          {"target_db", c.target_db},
          {"target_collection", c.target_collection}};
}

json CollectionsOf(const TaskStatus& task) {
  json list = json::array();
  for (const CollectionStatus& c : task.collections) {
    json one = NamesOf(c);
    one["state"] = c.state;
    one["lag_ms"] = c.lag_ms;
    one["safe_time_ms"] = Millis(PhysicalMillis(c.safe_ts));
    list.push_back(std::move(one));
  }
  return list;
}

json TransitionsOf(const TaskStatus& task) {
  json list = json::array();
  for (const Transition& t : task.transitions) {
    list.push_back({{"at_ms", t.at_ms},
                    {"from", t.from ? json(ToString(*t.from)) : json()},
                    {"to", ToString(t.to)},
                    {"reason", t.reason}});
  }
  return list;
}

json CountersOf(const TaskCounters& c) {
  json calls = json::object();
  for (const auto& [kind, count] : c.calls) calls[kind] = count;
  return {{"rows_inserted", c.rows_inserted},
          {"rows_deleted", c.rows_deleted},
          {"rows_replayed", c.rows_replayed},
          {"bytes", c.bytes},
          {"duplicate_keys", c.duplicate_keys},
          {"retries", c.retries},
          {"calls", calls}};
}

json HeadroomOf(const TaskStatus& task) {
  if (!task.log_headroom_seconds) return nullptr;
  return {{"seconds", *task.log_headroom_seconds}, {"bytes", task.log_headroom_bytes}};
}

// What lists hold of a task.
json SummaryOf(const TaskStatus& task) {
  return {{"id", task.id},
          {"state", ToString(RunStateOf(task))},
          {"reason", task.reason},
          {"since_ms", Millis(task.since_ms)},
          {"health",
           {{"status", ToString(task.health)},
            {"reason", task.health_reason},
            {"since_ms", Millis(task.health_since_ms)},
            {"retries", task.health_retries},
            {"next_attempt_ms", Millis(task.health_next_attempt_ms)}}},
          {"mode", ToString(task.mode)},
          {"mode_reason", task.mode_reason},
          {"target", TargetOf(task.mode, task.target_uri)},
          {"selection", SelectionOf(task.selection)},
          {"lag_ms", task.lag_ms},
          {"safe_time_ms", Millis(PhysicalMillis(task.safe_ts))},
          {"safe_ts", std::to_string(task.safe_ts)},
          {"target_ts", std::to_string(task.target_ts)},
          {"log_headroom", HeadroomOf(task)},
          {"counters", CountersOf(task.counters)},
          {"collection_count", task.collection_count}};
}

const char* ToString(LogKind log) {
  switch (log) {
    case LogKind::kRocksmq:
      return "rocksmq";
    case LogKind::kKafka:
      return "kafka";
    case LogKind::kPulsar:
      return "pulsar";
  }
  return "?";
}

}  // namespace

const char* ToString(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "?";
}

std::string V1Task(const TaskStatus& task) {
  json out = SummaryOf(task);
  out["collections"] = CollectionsOf(task);
  out["transitions"] = TransitionsOf(task);
  return JsonLine(out);
}

std::string V1TaskPage(const std::vector<TaskStatus>& tasks,
                       const std::optional<std::string>& next) {
  json list = json::array();
  for (const TaskStatus& task : tasks) list.push_back(SummaryOf(task));
  return JsonLine({{"tasks", list}, {"next", next ? json(*next) : json()}});
}

std::string V1DryRun(const TaskPlan& plan) {
  json collections = json::array();
  for (const CollectionStatus& c : plan.collections) collections.push_back(NamesOf(c));
  return JsonLine({{"dry_run", true},
                   {"task",
                    {{"id", plan.id.empty() ? json() : json(plan.id)},
                     {"exists", plan.exists},
                     {"mode", ToString(plan.mode)},
                     {"mode_reason", plan.mode_reason},
                     {"target", TargetOf(plan.mode, plan.target_uri)},
                     {"selection", SelectionOf(plan.selection)},
                     {"collections", collections}}}});
}

std::string V1Positions(const TaskProgress& progress, const std::string& operation_topic,
                        LogKind log) {
  json positions = json::array();
  for (const auto& [id, object] : progress.objects) {
    for (const std::string& channel : object.pchannels) {
      const auto at = progress.channels.find(channel);
      if (at == progress.channels.end()) continue;
      positions.push_back(
          {{"collection_id", std::to_string(id)},
           {"channel", channel},
           {"time_ms", PhysicalMillis(at->second.filter)},
           {"ts", std::to_string(at->second.filter)},
           {"position", EncodePosition(channel, at->second.seek, log, at->second.filter)}});
    }
  }
  json operations;
  if (progress.operations) {
    operations = {{"channel", operation_topic},
                  {"position", EncodePosition(operation_topic, *progress.operations, log)}};
  }
  return JsonLine({{"positions", positions}, {"operations", operations}});
}

std::string V1Findings(const std::vector<Finding>& findings) {
  json list = json::array();
  bool good = true;
  for (const Finding& finding : findings) {
    good = good && finding.severity != Severity::kError;
    list.push_back({{"check", finding.check},
                    {"severity", ToString(finding.severity)},
                    {"what", finding.what},
                    {"what_to_do", finding.what_to_do}});
  }
  return JsonLine({{"ok", good}, {"findings", list}});
}

std::string V1Server(const V1ServerInfo& server) {
  return JsonLine(
      {{"version", server.version},
       {"source", {{"log", ToString(server.log)}, {"operation_channel", server.operation_topic}}},
       {"limits",
        {{"max_tasks", server.max_tasks},
         {"max_name_length", server.max_name_length},
         {"max_page", server.max_page}}},
       {"log_level", ToString(server.level)}});
}

std::string V1LogLevel(LogLevel level) {
  return JsonLine({{"level", ToString(level)}});
}

}  // namespace cdc
