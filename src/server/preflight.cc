#include "server/preflight.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/name_list.h"
#include "server/retention_watch.h"
#include "server/task_plan.h"
#include "server/task_start.h"

namespace cdc {
namespace {

constexpr Duration kTickWait = std::chrono::seconds(1);  // a source ticks every 200 ms
constexpr char kChannelMark[] = "-rootcoord-dml_";
constexpr char kOperationMark[] = "-replicate-msg";

constexpr char kSetEtcd[] =
    "set sourceConfig.etcd: address, and username, password or certificates if etcd wants them";
constexpr char kSetRoot[] =
    "set sourceConfig.etcd.rootPath and metaSubPath to what etcd.rootPath and etcd.metaSubPath are "
    "in the source's milvus.yaml";
constexpr char kSetLog[] =
    "set sourceConfig.kafka, pulsar or rocksmq.path to the log that the source's milvus.yaml names";

std::set<std::string> ChannelsOf(const CatalogUpdate& catalog) {
  std::set<std::string> channels;
  for (const SourceCollectionPtr& collection : catalog.collections) {
    if (!collection->IsLive()) continue;
    channels.insert(collection->pchannels.begin(), collection->pchannels.end());
  }
  return channels;
}

}  // namespace

void Preflight::Say(const char* check, Severity severity, std::string what,
                    std::string what_to_do) {
  std::replace(what.begin(), what.end(), '\n', ';');
  findings_.push_back({check, severity, std::move(what), std::move(what_to_do)});
}

std::vector<Finding> Preflight::Run(const TaskSpec* spec) {
  findings_.clear();
  const std::optional<CatalogUpdate> catalog = CheckMetadata();
  if (catalog) CheckLog(*catalog, spec);
  CheckPositions();
  if (spec != nullptr) {
    TaskSpec task = *spec;
    const bool there = !task.id.empty() && ports_.exists && ports_.exists(task.id);
    if (there) {
      Say("tasks.exists", Severity::kWarning, Format("there is a task {} already", task.id),
          "leave task_id out, or take another: creating it again changes nothing");
    } else {
      CheckRoom(&task);
      if (catalog) CheckStart(*catalog, &task);
      CheckTarget(task, catalog);
    }
  }
  return std::move(findings_);
}

// ---- the source -------------------------------------------------------------------------------

std::optional<CatalogUpdate> Preflight::CheckMetadata() {
  Result<CatalogUpdate> catalog = ports_.source->Catalog();
  if (!catalog.ok()) {
    const Error& error = catalog.error();
    if (error.kind == ErrorKind::kNotFound) {
      Say("source.metadata", Severity::kError, error.message, kSetRoot);
    } else {
      Say("source.etcd", Severity::kError, error.message, kSetEtcd);
    }
    return std::nullopt;
  }
  const auto live = std::count_if(catalog->collections.begin(), catalog->collections.end(),
                                  [](const auto& collection) { return collection->IsLive(); });
  Say("source.etcd", Severity::kOk, "etcd answers");
  Say("source.metadata", Severity::kOk,
      Format("{} databases, {} collections", catalog->databases.size(), live));
  return *std::move(catalog);
}

void Preflight::CheckLog(const CatalogUpdate& catalog, const TaskSpec* spec) {
  std::set<std::string> channels = ChannelsOf(catalog);
  if (spec != nullptr) {  // only what the task would read
    const Result<PlannedSource> plan = PlanSource(spec->selection, catalog);
    if (plan.ok() && !plan->channels.empty()) channels = plan->channels;
  }
  const auto ends = ports_.source->Ends(channels);
  if (!ends.ok()) {
    Say("source.log", Severity::kError, ends.error().message, kSetLog);
    return;
  }
  Say("source.log", Severity::kOk, "the log answers");
  if (channels.empty()) return;
  std::map<std::string, LogPosition> filled;
  std::vector<std::string> empty;
  for (const std::string& channel : channels) {
    const auto at = ends->find(channel);
    if (at == ends->end() || at->second.kind == LogPosition::Kind::kEarliest) {
      empty.push_back(channel);
    } else {
      filled.insert(*at);
    }
  }
  if (filled.empty()) {
    Say("source.channels", Severity::kError,
        Format("the log holds nothing of {}, to which the source's collections are written",
               NameList(empty)),
        kSetLog);
    return;
  }
  if (empty.empty()) {
    Say("source.channels", Severity::kOk, Format("{} channels are in the log", filled.size()));
  } else {
    Say("source.channels", Severity::kWarning,
        Format("the log holds nothing of {}", NameList(empty)),
        "see whether this is the source's log: a channel with a collection is never empty");
  }
  CheckTicking(filled);
  const std::string& first = filled.begin()->first;
  const Status oldest = ports_.source->ReadOldest(first);
  if (oldest.ok()) {
    Say("source.format", Severity::kOk, "its messages can be read");
  } else if (!oldest.error().IsRetry()) {
    Say("source.format", Severity::kError, oldest.error().message,
        "the source must be a Milvus 2.3 to 2.5");
  }
  CheckOperations(channels);
}

void Preflight::CheckTicking(const std::map<std::string, LogPosition>& before) {
  std::set<std::string> channels;
  for (const auto& [channel, end] : before) channels.insert(channel);
  ports_.wait(kTickWait);
  const auto after = ports_.source->Ends(channels);
  if (!after.ok()) {
    Say("source.log", Severity::kError, after.error().message, kSetLog);
    return;
  }
  std::vector<std::string> still;
  for (const auto& [channel, end] : before) {
    const auto at = after->find(channel);
    if (at == after->end() || at->second == end) still.push_back(channel);
  }
  if (still.empty()) {
    Say("source.ticking", Severity::kOk, "its time goes on");
    return;
  }
  Say("source.ticking", still.size() == before.size() ? Severity::kError : Severity::kWarning,
      Format("nothing was written to {} for a second, not even a time tick", NameList(still)),
      "see whether the source Milvus runs, and whether this is the log that it writes to");
}

// "by-dev-rootcoord-dml_3" and "by-dev-replicate-msg" belong together.
void Preflight::CheckOperations(const std::set<std::string>& channels) {
  const size_t mark = channels.begin()->find(kChannelMark);
  if (mark == std::string::npos) return;  // named in a way of its own
  const std::string wanted = channels.begin()->substr(0, mark) + kOperationMark;
  const std::string& topic = ports_.source->operation_topic();
  if (topic == wanted) {
    Say("source.operations", Severity::kOk, "operations are read from " + topic);
    return;
  }
  Say("source.operations", Severity::kWarning,
      Format("operations are read from {}, and the source writes them to {}: flushes are not "
             "followed",
             topic, wanted),
      Format("set sourceConfig.replicateChan to {}", wanted));
}

void Preflight::CheckPositions() {
  if (!ports_.progresses) return;
  size_t held = 0;
  for (const auto& [id, progress] : ports_.progresses()) {
    std::map<std::string, LogPosition> places;
    for (const auto& [name, checkpoint] : NeededChannels(progress)) places[name] = checkpoint.seek;
    if (places.empty()) continue;
    const Status status = ports_.source->CheckHeld(places);
    if (status.ok()) ++held;
    if (status.ok() || status.error().kind != ErrorKind::kPositionGone) continue;
    Say("source.positions", Severity::kError, Format("task {}: {}", id, status.error().message),
        "delete the task and create it again, copying its collections anew; make the log's "
        "retention longer than tasks may be paused");
  }
  if (held > 0) {
    Say("source.positions", Severity::kOk,
        Format("the log holds what {} tasks would go on with", held));
  }
}

// Where a task begins that shall not begin at the end of the log.
void Preflight::CheckStart(const CatalogUpdate& catalog, TaskSpec* spec) {
  const StartRequest& asked = spec->start_request;
  if (asked.positions.empty() && asked.from_creation.empty() && !asked.operations) return;
  const Result<PlannedSource> plan = PlanSource(spec->selection, catalog);
  if (!plan.ok()) return;  // said where the selection is looked at
  const auto ends = ports_.source->Ends(plan->channels);
  if (!ends.ok()) return;  // said where the log is looked at
  const SourceNow now{*ends, ports_.source->operation_topic(), 0,
                      [this](const std::string& bytes) { return ports_.source->DecodeId(bytes); }};
  const Result<ResolvedStart> start = ResolveStart(*spec, *plan, now);
  LogQuestions log;
  log.held = [this](const auto& places) -> Result<std::map<std::string, HeldLog>> {
    CDC_RETURN_IF_ERROR(ports_.source->CheckHeld(places));
    return std::map<std::string, HeldLog>{};
  };
  log.oldest = [this](const auto& channels) { return ports_.source->Oldest(channels); };
  const Status status = start.ok() ? CheckHeld(*start, log) : Status(start.error());
  if (!status.ok()) {
    Say("selection.start", Severity::kError, status.error().message,
        "correct positions, use_start_position or rpc_channel_info, or leave them out");
    return;
  }
  spec->start = start->start;
  Say("selection.start", Severity::kOk, "the log holds all from where the collections begin");
}

// ---- other tasks ------------------------------------------------------------------------------

void Preflight::CheckRoom(TaskSpec* spec) {
  if (!ports_.admit) return;
  const Status status = ports_.admit(spec);
  if (status.ok()) {
    Say("tasks.clash", Severity::kOk, "no other task replicates the same into this target");
  } else if (status.error().kind == ErrorKind::kLimit) {
    Say("tasks.limit", Severity::kError, status.error().message,
        "raise maxTaskNum, or delete tasks that are not needed; one task may take several "
        "databases "
        "and patterns");
  } else {
    Say("tasks.clash", Severity::kError, status.error().message,
        "leave out what the other task replicates, with exclude_collections or narrower names");
  }
}

}  // namespace cdc
