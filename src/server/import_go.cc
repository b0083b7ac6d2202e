#include "server/import_go.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/base64.h"
#include "base/format.h"
#include "base/name_list.h"
#include "client/milvus/message_codec.h"
#include "client/pulsar/pulsar_id.h"
#include "model/timestamp.h"
#include "server/overlap.h"
#include "server/target_identity.h"

namespace cdc {
namespace {

using nlohmann::json;

constexpr int64_t kOperations = -10;  // the collection id under which the operation topic stands
// The clock of the source may be ahead of ours.
constexpr int64_t kMarginMs = 1000;

// What the positions of one task come to.
struct Places {
  std::map<std::string, LogId> channels;  // the lowest of each
  std::optional<LogId> operations;
  int64_t latest_ms = 0;  // of all times that are named
  size_t unreadable = 0;
};

Result<LogId> DecodeId(const std::string& bytes, LogKind log) {
  if (log != LogKind::kPulsar) return DecodeNumericId(bytes);
  CDC_ASSIGN_OR_RETURN(const PulsarMessageId id, DecodePulsarMessageId(bytes));
  return id.id;
}

// A member that is missing or null reads as an empty object.
json Member(const json& object, const char* name) {
  const auto at = object.find(name);
  return at == object.end() || at->is_null() ? json::object() : *at;
}

bool IsSet(const json& object, const char* name) {
  const auto at = object.find(name);
  if (at == object.end() || at->is_null()) return false;
  if (at->is_boolean()) return at->get<bool>();
  return !at->is_string() || !at->get_ref<const std::string&>().empty();
}

// The message id of {"Time":ms, "DataPair":{"key":channel, "data":base64}, "Dropped":bool}; nothing
// for one that was dropped. Throws as json does.
std::optional<Result<LogId>> IdOf(const json& position, LogKind log, Places* places) {
  if (position.is_null() || IsSet(position, "Dropped")) return {};
  for (const char* time : {"Time", "StartTime"}) {
    places->latest_ms = std::max(places->latest_ms, position.value(time, int64_t{0}));
  }
  const std::optional<std::string> bytes =
      FromBase64(Member(position, "DataPair").value("data", ""));
  if (!bytes || bytes->empty()) return CorruptError("no message id");
  return DecodeId(*bytes, log);
}

// One {rootPath}/task_position record. Throws as json does.
void AddPositions(const json& record, LogKind log, Places* places) {
  const bool operations = record.value("CollectionID", int64_t{0}) == kOperations;
  const json positions = Member(record, "Positions");
  for (const auto& [channel, position] : positions.items()) {
    const std::optional<Result<LogId>> id = IdOf(position, log, places);
    if (!id) continue;
    if (!id->ok()) {
      ++places->unreadable;
    } else if (operations) {
      places->operations = **id;
    } else {
      const auto [at, first] = places->channels.emplace(channel, **id);
      if (!first) at->second = std::min(at->second, **id);
    }
  }
  // Where it was in the target's log says no more than when it last wrote.
  const json targets = Member(record, "TargetPositions");
  for (const auto& [channel, position] : targets.items()) (void)IdOf(position, log, places);
}

// The request that would make this task here. Throws as json does.
json RequestOf(const json& info) {
  const json connect = Member(info, "MilvusConnectParam");
  json milvus = {{"mode", "replicate"}};
  for (const char* key : {"uri", "host", "port", "username", "password", "token", "enable_tls",
                          "dial_config", "channel_num", "ignore_partition", "connect_timeout"}) {
    if (connect.contains(key)) milvus[key] = connect.at(key);
  }
  const json extra = Member(info, "ExtraInfo");
  const auto names = [](const json& infos) {
    json list = json::array();
    for (const json& one : infos) list.push_back({{"name", one.at("name")}});
    return list;
  };
  json databases = json::object();
  const json stored = Member(info, "DBCollections");
  for (const auto& [database, infos] : stored.items()) databases[database] = names(infos);
  json request = {{"task_id", info.at("TaskID")},
                  {"milvus_connect_param", std::move(milvus)},
                  {"collection_infos", names(Member(info, "CollectionInfos"))},
                  {"db_collections", std::move(databases)},
                  {"disable_auto_start", info.value("DisableAutoStart", false)},
                  {"extra_info", {{"enable_user_role", IsSet(extra, "enable_user_role")}}},
                  {"adopt", true}};
  if (info.contains("NameMapping")) request["name_mapping"] = info.at("NameMapping");
  if (info.contains("ExcludeCollections")) {
    request["exclude_collections"] = info.at("ExcludeCollections");
  }
  return request;
}

// Nothing counts as acknowledged (filter 0): all that the log has from the place on is looked at.
void FillProgress(const Places& places, const GoImportOptions& options, ImportedTask* imported) {
  TaskSpec& spec = imported->task.spec;
  ProgressWrite& first = imported->first;
  const Timestamp fence = ComposeTimestamp(std::max(places.latest_ms, options.now_ms) + kMarginMs);
  first.task = spec.id;
  for (const auto& [channel, id] : places.channels) {
    first.channels.push_back({channel, {LogPosition::Kind::kAt, id}, 0, fence});
  }
  first.operations = places.operations ? LogPosition{LogPosition::Kind::kAfter, *places.operations}
                                       : LogPosition{};
  first.target = options.identity(spec);
  spec.start.made_ts = fence;
}

Status FillMissing(const Places& places, const GoImportOptions& options, ImportedTask* imported) {
  if (!options.channels) return OkStatus();
  CDC_ASSIGN_OR_RETURN(const std::set<std::string> needed,
                       options.channels(imported->task.spec.selection));
  const Timestamp fence = ComposeTimestamp(std::max(places.latest_ms, options.now_ms) + kMarginMs);
  for (const std::string& channel : needed) {
    if (places.channels.contains(channel)) continue;
    imported->first.channels.push_back({channel, LogPosition{}, 0, fence});
    imported->notes.push_back(Format(
        "channel {} has no position; it is read from the beginning of the source's log", channel));
  }
  return OkStatus();
}

// Its state goes over: what was paused stays so. Throws as json does.
void FillState(const json& info, StoredTask* task) {
  constexpr int kPausedThere = 2;
  const bool paused = info.value("State", 0) == kPausedThere;
  task->state = paused ? TaskState::kPaused : TaskState::kRunning;
  if (paused) task->reason = info.value("Reason", "");
}

// Throws as json does.
Result<ImportedTask> Translate(const json& info, const Places& places,
                               const GoImportOptions& options) {
  if (IsSet(Member(info, "KafkaConnectParam"), "address")) {
    return InvalidError("its target is a Kafka, which is not supported");
  }
  ImportedTask imported;
  const json request = RequestOf(info);
  CDC_ASSIGN_OR_RETURN(imported.task.spec, ParseTaskRequest(request.dump(), options.limits));
  imported.task.spec.mode_reason = "taken over from a Milvus-CDC that wrote this way";
  FillState(info, &imported.task);
  if (places.unreadable > 0) {
    return InvalidError(
        Format("{} of its positions cannot be read as those of the log that "
               "sourceConfig names",
               places.unreadable));
  }
  FillProgress(places, options, &imported);
  CDC_RETURN_IF_ERROR(FillMissing(places, options, &imported));
  if (!places.operations) {
    imported.notes.push_back("the operation topic has no position; it is read from its beginning");
  }
  return imported;
}

// Why it cannot stand beside the tasks that the store has; leaves out of its selection what they
// replicate.
Status CheckBeside(const std::vector<StoredTask>& there, ImportedTask* one) {
  TaskSpec& spec = one->task.spec;
  std::vector<Selection> existing;
  for (const StoredTask& other : there) {
    if (other.spec.id == spec.id) {
      return FatalError("the store has a task of this id already", ErrorKind::kAlreadyExists);
    }
    if (IdentityOf(other.spec) != one->first.target) continue;
    if (other.spec.enable_user_role && spec.enable_user_role) {
      return FatalError(
          Format("task {} replicates users and roles to this target already", other.spec.id),
          ErrorKind::kConflict);
    }
    existing.push_back(other.spec.selection);
  }
  return ResolveOverlap(existing, &spec.selection);
}

}  // namespace

void ChooseTasks(const std::set<std::string>& ids, GoImport* import) {
  if (ids.empty()) return;
  std::set<std::string> missing = ids;
  for (const ImportedTask& one : import->tasks) missing.erase(one.task.spec.id);
  for (const auto& [id, why] : import->refused) missing.erase(id);
  std::erase_if(import->tasks,
                [&](const ImportedTask& one) { return !ids.contains(one.task.spec.id); });
  std::erase_if(import->refused, [&](const auto& entry) { return !ids.contains(entry.first); });
  for (const std::string& id : missing) import->refused.emplace_back(id, "there is no such task");
}

Status AddToStore(GoImport* import, Store* store) {
  CDC_ASSIGN_OR_RETURN(std::vector<StoredTask> there, store->ListTasks());
  std::vector<ImportedTask> added;
  for (ImportedTask& one : import->tasks) {
    const std::string id = one.task.spec.id;
    const Status fits = CheckBeside(there, &one);
    if (!fits.ok()) {
      import->refused.emplace_back(id, fits.error().message);
      continue;
    }
    const Status status = store->AddTask(one.task, one.first);
    if (!status.ok()) {
      std::vector<std::string> ids;
      for (const ImportedTask& stored : added) ids.push_back(stored.task.spec.id);
      return status.error().Prefixed(
          Format("task {} ({}; what is stored is left out when this is run again)", id,
                 ids.empty() ? "nothing was stored" : "stored are " + NameList(ids)));
    }
    there.push_back(one.task);  // the next one has to fit beside it
    added.push_back(std::move(one));
  }
  import->tasks = std::move(added);
  return OkStatus();
}

GoImport TranslateGoRecords(const GoRecords& records, const GoImportOptions& options) {
  GoImport import;
  std::map<std::string, Places> places;  // by task
  std::set<std::string> damaged;         // tasks whose positions are; empty: nobody knows whose
  for (const std::string& text : records.positions) {
    std::string task;
    try {
      const json record = json::parse(text);
      task = record.at("TaskID");
      AddPositions(record, options.log, &places[task]);
    } catch (const std::exception&) {
      damaged.insert(task);
    }
  }
  std::map<std::string, ImportedTask> tasks;
  for (const std::string& text : records.tasks) {
    std::string id = "?";
    try {
      const json info = json::parse(text);
      id = info.at("TaskID");
      if (damaged.contains(id) || damaged.contains("")) {
        import.refused.emplace_back(id, "a record of its positions is damaged");
        continue;
      }
      Result<ImportedTask> task = Translate(info, places[id], options);
      if (task.ok()) {
        tasks[id] = *std::move(task);
      } else {
        import.refused.emplace_back(id, task.error().message);
      }
    } catch (const std::exception&) {  // what it throws may quote a secret
      import.refused.emplace_back(id, "its record is not that of a task");
    }
  }
  for (auto& [id, task] : tasks) import.tasks.push_back(std::move(task));
  return import;
}

}  // namespace cdc
