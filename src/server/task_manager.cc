#include "server/task_manager.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "server/overlap.h"
#include "sink/milvus/target_mode.h"

namespace cdc {
namespace {

constexpr char kManualPause[] = "manually pause through http interface";
constexpr Duration kLogTimeout = std::chrono::seconds(10);
constexpr char kNoAutoStart[] = "the task is disabled auto start";

// Pauses that a person asked for; every other reason is a failure.
bool IsWantedPause(const std::string& reason) {
  return reason.empty() || reason == kManualPause || reason == kNoAutoStart;
}

std::string TargetOf(const TaskSpec& spec) {
  return spec.mode == TargetMode::kBlackhole ? "blackhole/" + spec.id : TargetIdentity(spec.target);
}

bool IsExact(const NamePattern& pattern) {
  return pattern.database.find('*') == std::string::npos &&
         pattern.collection.find('*') == std::string::npos;
}

}  // namespace

std::string TargetIdentity(const TargetAddress& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::string host = address.host;
  if (getaddrinfo(address.host.c_str(), nullptr, &hints, &found) == 0 && found != nullptr) {
    std::set<std::string> all;  // a name may have several addresses, in any order
    for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
      char text[INET6_ADDRSTRLEN] = {};
      const void* raw = at->ai_family == AF_INET
                            ? static_cast<const void*>(
                                  &reinterpret_cast<const sockaddr_in*>(at->ai_addr)->sin_addr)
                            : &reinterpret_cast<const sockaddr_in6*>(at->ai_addr)->sin6_addr;
      inet_ntop(at->ai_family, raw, text, sizeof(text));
      all.insert(std::string(text) == "::1" ? "127.0.0.1" : text);
    }
    host = *all.begin();
  }
  if (found != nullptr) freeaddrinfo(found);
  return Format("milvus/{}:{}", host, address.port);
}

TaskManager::TaskManager(const ServerConfig& config, SourceRuntime* source, Store* store)
    : config_(config),
      source_(source),
      store_(store),
      janitor_(std::make_unique<ThreadExecutor>("cdc-janitor")),
      retention_(std::make_unique<RetentionWatch>(
          source, std::chrono::seconds(config.source.retention_check_seconds),
          [this] { return AllProgress(); })) {}

TaskManager::~TaskManager() {
  Stop();
}

Status TaskManager::StartStored() {
  CDC_ASSIGN_OR_RETURN(const std::vector<StoredTask> stored, store_->ListTasks());
  std::lock_guard lock(mutex_);
  for (const StoredTask& one : stored) {
    Task& task = tasks_[one.spec.id];
    task.spec = one.spec;
    task.state = one.state;
    task.reason = one.reason;
    task.order = next_order_++;
    task.failed = one.state == TaskState::kPaused && !IsWantedPause(one.reason);
    if (one.state == TaskState::kPaused) continue;
    if (one.spec.disable_auto_start) {
      task.state = TaskState::kPaused;
      task.reason = kNoAutoStart;
      (void)store_->UpdateState(one.spec.id, task.state, task.reason);
      continue;
    }
    const Status started = StartTask(&task);
    if (!started.ok()) {
      task.state = TaskState::kPaused;
      task.failed = true;
      task.reason = started.error().message;
      LogError("task {} does not start: {}", task.spec.id, task.reason);
    }
  }
  return OkStatus();
}

// ---- create -----------------------------------------------------------------------------------

Result<std::string> TaskManager::Create(TaskSpec spec) {
  if (stopping_) return RetryError("the server is stopping");
  {
    std::lock_guard lock(mutex_);
    if (tasks_.contains(spec.id)) return spec.id;
    if (tasks_.size() >= static_cast<size_t>(config_.max_task_num)) {
      return InvalidError(Format("the task num has reach the limit, {}", config_.max_task_num));
    }
    CDC_RETURN_IF_ERROR(CheckClash(&spec));
  }
  CDC_ASSIGN_OR_RETURN(const ResolvedMode resolved, ResolveMode(spec.mode, spec.target));
  spec.mode = resolved.mode;
  spec.mode_reason = resolved.reason;
  CDC_ASSIGN_OR_RETURN(const ProgressWrite first, FirstProgress(spec));

  std::lock_guard lock(mutex_);
  if (tasks_.contains(spec.id)) return spec.id;  // created meanwhile
  CDC_RETURN_IF_ERROR(CheckClash(&spec));
  CDC_RETURN_IF_ERROR(store_->AddTask({spec, TaskState::kRunning, ""}, first));
  Task& task = tasks_[spec.id];
  task.spec = spec;
  task.order = next_order_++;
  const Status started = StartTask(&task);
  if (!started.ok()) {
    tasks_.erase(spec.id);
    (void)store_->DeleteTask(spec.id);
    return started.error();
  }
  LogInfo("task {} created: mode {} ({})", spec.id, ToString(spec.mode), spec.mode_reason);
  return spec.id;
}

// Refuses what another task on the same target does already; a broader selection leaves out what
// the others replicate.
Status TaskManager::CheckClash(TaskSpec* spec) const {
  const std::string target = TargetOf(*spec);
  std::vector<Selection> existing;
  for (const auto& [id, other] : tasks_) {
    if (TargetOf(other.spec) != target) continue;
    if (other.spec.target.token != spec->target.token) {
      return InvalidError(
          Format("task {} writes to this target with other credentials; use the "
                 "same ones, for all tasks of a target share its connections",
                 id));
    }
    existing.push_back(other.spec.selection);
  }
  return ResolveOverlap(existing, &spec->selection);
}

// The positions from which the task will read, taken before the catalog is listed for it: whatever
// happens afterwards is replicated.
Result<ProgressWrite> TaskManager::FirstProgress(const TaskSpec& spec) const {
  CDC_ASSIGN_OR_RETURN(const CatalogUpdate catalog, source_->ListCatalog());
  std::map<DatabaseId, std::string> databases;
  for (const SourceDatabase& database : catalog.databases) databases[database.id] = database.name;
  std::set<std::string> channels;
  std::set<std::string> names;
  std::map<TargetName, std::string> targets;
  for (const SourceCollectionPtr& collection : catalog.collections) {
    if (!collection->IsLive()) continue;
    const auto database = databases.find(collection->db_id);
    const std::string db = database == databases.end() ? kDefaultDatabase : database->second;
    names.insert(db + "." + collection->name);
    if (!spec.selection.Matches(db, collection->name)) continue;
    channels.insert(collection->pchannels.begin(), collection->pchannels.end());
    const auto [at, fresh] =
        targets.emplace(spec.selection.Map(db, collection->name), db + "." + collection->name);
    if (!fresh) {
      return InvalidError(Format(
          "collections {} and {} would both be written to {}.{}; change "
          "name_mapping",
          at->second, db + "." + collection->name, at->first.database, at->first.collection));
    }
  }
  for (const NamePattern& include : spec.selection.includes) {
    const std::string name = include.database + "." + include.collection;
    if (!IsExact(include) || names.contains(name)) continue;
    std::string known;
    for (const std::string& one : names) {
      if (known.size() < 300) known += (known.empty() ? "" : ", ") + one;
    }
    return InvalidError(
        Format("collection {} does not exist at the source; there are: {}. To replicate it as soon "
               "as it is created, name it with a pattern, as in '{}*'",
               name, known.empty() ? "none" : known, include.collection));
  }
  CDC_ASSIGN_OR_RETURN(const auto positions, source_->LatestPositions(channels, kLogTimeout));
  ProgressWrite write;
  write.task = spec.id;
  for (const std::string& channel : channels) {
    const auto at = positions.find(channel);
    write.channels.push_back({channel, at == positions.end() ? LogPosition{} : at->second, 0, 0});
  }
  const auto operations = positions.find(source_->operation_topic());
  write.operations = operations == positions.end() ? LogPosition{} : operations->second;
  write.source = SourceIdentity{catalog.cluster_id, catalog.revision};
  return write;
}

// ---- running ----------------------------------------------------------------------------------

Result<TargetEngine*> TaskManager::EngineFor(const TaskSpec& spec) {
  const std::string key = TargetOf(spec);
  const auto known = engines_.find(key);
  if (known != engines_.end()) {
    if (known->second->mode() == spec.mode) return known->second.get();
    return InvalidError(
        Format("other tasks write to this target in mode {}; pause or delete them first",
               ToString(known->second->mode())));
  }
  EngineOptions options;
  options.tick_interval = std::chrono::milliseconds(config_.source.time_tick_interval_ms);
  CDC_ASSIGN_OR_RETURN(auto engine,
                       TargetEngine::Open(key, spec.mode, spec.target, options, source_, store_));
  return engines_.emplace(key, std::move(engine)).first->second.get();
}

// With the mutex held.
Status TaskManager::StartTask(Task* task) {
  CDC_ASSIGN_OR_RETURN(TaskProgress progress, store_->LoadProgress(task->spec.id));
  CDC_ASSIGN_OR_RETURN(task->engine, EngineFor(task->spec));
  task->state = TaskState::kRunning;
  task->reason.clear();
  task->failed = false;
  const std::string id = task->spec.id;
  task->engine->StartTask(task->spec, std::move(progress), [this, id](const Error& error) {
    if (!stopping_) janitor_->Post([this, id, error] { OnFailed(id, error); });
  });
  LogInfo("task {} started", id);
  return OkStatus();
}

// With the mutex held.
void TaskManager::StopTask(Task* task) {
  if (task->engine == nullptr) return;
  task->engine->StopTask(task->spec.id);
  if (task->engine->empty()) engines_.erase(TargetOf(task->spec));
  task->engine = nullptr;
}

void TaskManager::OnFailed(const std::string& id, const Error& error) {
  LogError("task {} failed: {}", id, error.message);
  std::lock_guard lock(mutex_);
  const auto it = tasks_.find(id);
  if (it == tasks_.end() || it->second.engine == nullptr) return;
  StopTask(&it->second);
  it->second.state = TaskState::kPaused;
  it->second.failed = true;
  it->second.reason = error.message;
  const Status stored = store_->UpdateState(id, TaskState::kPaused, error.message);
  if (!stored.ok()) LogError("task {}: state not stored: {}", id, stored.error().message);
}

Status TaskManager::Pause(const std::string& id) {
  std::lock_guard lock(mutex_);
  const auto it = tasks_.find(id);
  if (it == tasks_.end()) return TaskNotFound(id);
  if (it->second.state == TaskState::kPaused) return TaskHasPaused(id);
  StopTask(&it->second);
  it->second.state = TaskState::kPaused;
  it->second.reason = kManualPause;
  LogInfo("task {} paused", id);
  return store_->UpdateState(id, TaskState::kPaused, kManualPause);
}

// Whether the log still holds all places from which the task would go on.
Status TaskManager::CheckHeld(const TaskProgress& progress) const {
  std::map<std::string, LogPosition> places;
  for (const auto& [name, checkpoint] : NeededChannels(progress)) places[name] = checkpoint.seek;
  if (places.empty()) return OkStatus();
  const auto held = source_->Held(std::move(places), kLogTimeout);
  // A log that does not answer is a passing trouble, which the running task shows.
  if (held.ok() || held.error().kind != ErrorKind::kPositionGone) return OkStatus();
  return held.error();
}

Status TaskManager::Resume(const std::string& id, bool accept_source) {
  if (stopping_) return RetryError("the server is stopping");
  {
    std::lock_guard lock(mutex_);
    const auto known = tasks_.find(id);
    if (known == tasks_.end()) return TaskNotFound(id);
    if (known->second.state == TaskState::kRunning) return TaskHasRunning(id);
  }
  CDC_ASSIGN_OR_RETURN(const TaskProgress progress, store_->LoadProgress(id));
  Status started = CheckHeld(progress);  // not with the mutex held: the log may not answer for long

  std::lock_guard lock(mutex_);
  const auto it = tasks_.find(id);
  if (it == tasks_.end()) return TaskNotFound(id);
  if (it->second.state == TaskState::kRunning) return TaskHasRunning(id);
  if (accept_source) {
    ProgressWrite write;
    write.task = id;
    write.source = SourceIdentity{};  // the next one seen is taken for the right one
    CDC_RETURN_IF_ERROR(store_->WriteProgress(write));
    LogInfo("task {}: the source's etcd is accepted as it is", id);
  }
  if (started.ok()) {
    CDC_RETURN_IF_ERROR(store_->UpdateState(id, TaskState::kRunning, ""));
    started = StartTask(&it->second);
  }
  if (!started.ok()) {
    it->second.state = TaskState::kPaused;
    it->second.failed = true;
    it->second.reason = started.error().message;
    (void)store_->UpdateState(id, TaskState::kPaused, started.error().message);
    return started.error().Prefixed("fail to start the task, task_id: " + id);
  }
  return OkStatus();
}

Result<TaskProgress> TaskManager::Progress(const std::string& id) {
  std::lock_guard lock(mutex_);
  if (!tasks_.contains(id)) return TaskNotFound(id);
  return store_->LoadProgress(id);
}

Status TaskManager::Rewind(const std::string& id, int64_t to_ms) {
  std::lock_guard lock(mutex_);
  const auto it = tasks_.find(id);
  if (it == tasks_.end()) return TaskNotFound(id);
  if (it->second.state == TaskState::kRunning) {
    return InvalidError("the task is running; pause it before it is set back, task_id: " + id);
  }
  CDC_ASSIGN_OR_RETURN(const TaskProgress progress, store_->LoadProgress(id));
  const Timestamp to = ComposeTimestamp(to_ms);
  ProgressWrite write;
  write.task = id;
  std::set<std::string> names;
  for (const auto& [name, checkpoint] : progress.channels) {
    if (checkpoint.filter <= to) continue;  // not that far
    names.insert(name);
    // From the oldest that is held; what is not after `to` is passed over. The fence stays: all of
    // it may have been sent, and is repeated idempotently.
    ChannelCheckpoint back{name, LogPosition{}, to, std::max(checkpoint.fence, checkpoint.filter)};
    write.channels.push_back(std::move(back));
  }
  if (names.empty()) {
    return InvalidError("the task has not come that far yet; choose an earlier time");
  }
  CDC_ASSIGN_OR_RETURN(const auto begins, source_->OldestHeld(names, kLogTimeout));
  for (const auto& [name, oldest] : begins) {
    if (oldest <= to) continue;
    return InvalidError(
        Format("the log of channel {} begins at {} ms, after the wanted {} ms: what was written in "
               "between cannot be repeated. Set the task back to {} at the earliest, or copy the "
               "collections anew",
               name, PhysicalMillis(oldest), to_ms, PhysicalMillis(oldest) + 1));
  }
  LogInfo("task {} set back to {} ms on {} channels", id, to_ms, names.size());
  return store_->WriteProgress(write);
}

Status TaskManager::Delete(const std::string& id) {
  std::lock_guard lock(mutex_);
  const auto it = tasks_.find(id);
  if (it == tasks_.end()) return TaskNotFound(id);
  StopTask(&it->second);
  CDC_RETURN_IF_ERROR(store_->DeleteTask(id));
  tasks_.erase(it);
  LogInfo("task {} deleted; what it made on the target stays there", id);
  return OkStatus();
}

// ---- status -----------------------------------------------------------------------------------

TaskStatus TaskManager::StatusOf(const Task& task) const {
  TaskStatus status;
  status.id = task.spec.id;
  status.mode = task.spec.mode;
  status.mode_reason = task.spec.mode_reason;
  status.request_json = task.spec.request_json;
  status.state = task.state;
  status.reason = task.reason;
  if (task.failed) {
    status.health = Health::kFailed;
    status.health_reason = task.reason;
  }
  if (const auto headroom = retention_->Of(task.spec.id)) {
    status.log_headroom_seconds = headroom->seconds;
    status.log_headroom_bytes = headroom->bytes;
    if (!task.failed && !headroom->warning.empty()) {
      status.health = Health::kWarning;
      status.health_reason = headroom->warning;
    }
  }
  if (task.engine == nullptr) return status;
  const ReplicationStatus running = task.engine->TaskStatusOf(task.spec.id);
  if (running.failed || running.warning) {
    status.health = running.failed ? Health::kFailed : Health::kWarning;
    status.health_reason = running.reason;
  }
  status.safe_ts = running.safe_ts;
  status.target_ts = running.target_ts;
  status.lag_ms = running.lag_ms;
  status.counters.rows_inserted = running.counters.rows_inserted;
  status.counters.rows_deleted = running.counters.rows_deleted;
  status.counters.rows_replayed = running.counters.rows_replayed;
  status.counters.bytes = running.counters.bytes;
  status.counters.retries = running.counters.troubles;
  const TargetEngine::Counters of_target = task.engine->CountersNow();
  status.counters.duplicate_keys = of_target.duplicate_keys;
  status.counters.calls["write"] = of_target.calls;
  for (const ReplicatedCollection& one : running.collections) {
    status.collections.push_back({one.source_database, one.source_name, one.source_id,
                                  one.target.database, one.target.collection, one.phase});
  }
  return status;
}

std::map<std::string, TaskProgress> TaskManager::AllProgress() const {
  std::vector<std::string> ids;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, task] : tasks_) ids.push_back(id);
  }
  std::map<std::string, TaskProgress> all;
  for (const std::string& id : ids) {  // the store may be busy: not with the mutex held
    auto progress = store_->LoadProgress(id);
    if (progress.ok()) all[id] = *std::move(progress);
  }
  return all;
}

Result<std::vector<TaskStatus>> TaskManager::List() {
  std::lock_guard lock(mutex_);
  std::vector<const Task*> ordered;
  for (const auto& [id, task] : tasks_) ordered.push_back(&task);
  std::sort(ordered.begin(), ordered.end(),
            [](const Task* a, const Task* b) { return a->order < b->order; });
  std::vector<TaskStatus> all;
  for (const Task* task : ordered) all.push_back(StatusOf(*task));
  return all;
}

Result<TaskStatus> TaskManager::Get(const std::string& id) {
  std::lock_guard lock(mutex_);
  const auto it = tasks_.find(id);
  if (it == tasks_.end()) return TaskNotFound(id);
  return StatusOf(it->second);
}

void TaskManager::Stop() {
  if (stopping_.exchange(true)) return;
  retention_->Stop();
  janitor_->Stop();
  std::lock_guard lock(mutex_);
  for (auto& [id, task] : tasks_) {
    if (task.engine != nullptr) task.engine->StopTask(id);
    task.engine = nullptr;
  }
  engines_.clear();
}

}  // namespace cdc
