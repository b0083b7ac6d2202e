#include "server/task_manager.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "server/target_identity.h"

namespace cdc {
namespace {

constexpr char kManualPause[] = "manually pause through http interface";
constexpr Duration kLogTimeout = std::chrono::seconds(10);
// Together less than what the whole server has to stop in (shell.cc).
constexpr Duration kStopWait = std::chrono::milliseconds(3500);
constexpr Duration kCloseWait = std::chrono::milliseconds(500);
constexpr char kNoAutoStart[] = "the task is disabled auto start";

// Pauses that a person asked for; every other reason is a failure.
bool IsWantedPause(const std::string& reason) {
  return reason.empty() || reason == kManualPause || reason == kNoAutoStart;
}

bool RunsWell(const TaskStatus& status) {
  return status.state == TaskState::kRunning && status.health != Health::kFailed;
}

}  // namespace

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
  std::lock_guard changing(changes_);
  std::map<std::string, std::string> identities;  // many tasks, few targets: each is asked for once
  for (const StoredTask& one : stored) {
    std::string target;
    if (one.spec.mode == TargetMode::kBlackhole) {
      target = IdentityOf(one.spec);
    } else {
      std::string& known = identities[UriOf(one.spec.target)];
      if (known.empty()) known = IdentityOf(one.spec);
      target = known;
    }
    StartLoaded(one, std::move(target));
  }
  return OkStatus();
}

void TaskManager::StartLoaded(const StoredTask& stored, std::string target) {
  const std::string& id = stored.spec.id;
  Task* task = nullptr;
  {
    std::lock_guard lock(mutex_);
    task = &tasks_[id];
    task->spec = stored.spec;
    task->target = std::move(target);
    task->state = stored.state;
    task->reason = stored.reason;
    task->order = next_order_++;
    task->failed = stored.state == TaskState::kPaused && !IsWantedPause(stored.reason);
    if (stored.state == TaskState::kPaused) {
      transitions_.Load(id, task->failed ? RunState::kFailed : RunState::kPaused);
      return;
    }
    transitions_.Load(id, RunState::kRunning);
  }
  if (stored.spec.disable_auto_start) {
    SetPaused(task, {kNoAutoStart, false});
    (void)store_->UpdateState(id, TaskState::kPaused, kNoAutoStart);
    return;
  }
  const Status started = StartTask(task, "the server started");
  if (started.ok()) return;
  LogError("task {} does not start: {}", id, started.error().message);
  SetPaused(task, {"fail to start task, err: " + started.error().message, true});
}

// ---- running ----------------------------------------------------------------------------------

bool TaskManager::Exists(const std::string& id) const {
  std::lock_guard lock(mutex_);
  return tasks_.contains(id);
}

TaskManager::Task* TaskManager::Find(const std::string& id) {
  std::lock_guard lock(mutex_);
  const auto it = tasks_.find(id);
  return it == tasks_.end() ? nullptr : &it->second;
}

Result<TargetEngine*> TaskManager::EngineFor(const Task& task) {
  const auto known = engines_.find(task.target);
  if (known != engines_.end()) {
    if (known->second->mode() == task.spec.mode) return known->second.get();
    return FatalError(
        Format("other tasks write to this target in mode {}; pause or delete them first",
               ToString(known->second->mode())),
        ErrorKind::kConflict);
  }
  EngineOptions options;
  options.tick_interval = std::chrono::milliseconds(config_.source.time_tick_interval_ms);
  CDC_ASSIGN_OR_RETURN(auto engine, TargetEngine::Open(task.target, task.spec.mode,
                                                       task.spec.target, options, source_, store_));
  return engines_.emplace(task.target, std::move(engine)).first->second.get();
}

// With `changes_` held.
Status TaskManager::StartTask(Task* task, const std::string& why) {
  const std::string& id = task->spec.id;
  CDC_ASSIGN_OR_RETURN(TaskProgress progress, store_->LoadProgress(id));
  CDC_ASSIGN_OR_RETURN(TargetEngine* const engine, EngineFor(*task));
  const uint64_t run = ++task->run;
  const auto on_failed = [this, id, run](const Error& error) {
    if (!stopping_) janitor_->Post([this, id, run, error] { OnFailed(id, run, error); });
  };
  const auto on_warning = [this, id, run](const std::string& reason) {
    if (!stopping_) janitor_->Post([this, id, run, reason] { OnWarning(id, run, reason); });
  };
  engine->StartTask(task->spec, std::move(progress), on_failed, on_warning);
  LogInfo("task {} started", id);
  std::lock_guard lock(mutex_);
  task->engine = engine;
  task->pause_unstored = false;
  task->state = TaskState::kRunning;
  task->reason.clear();
  task->failed = false;
  transitions_.Record(id, RunState::kRunning, why, clock_.WallMillis());
  return OkStatus();
}

// With `changes_` held. All at once: they wait for the same peers and for the same store.
void TaskManager::StopTasks(const std::vector<Task*>& tasks, const std::optional<Ending>& ending) {
  struct Stopping {
    Task* task;
    TargetEngine::Snapshot last;
    std::future<void> stopped;
  };
  std::vector<Stopping> all;
  for (Task* task : tasks) {
    if (task->engine != nullptr) {
      const std::string& id = task->spec.id;
      TargetEngine::Snapshot last = task->engine->StatusOf({id}, false);
      all.push_back({task, std::move(last), task->engine->StopTask(id)});
    } else if (ending) {
      SetPaused(task, *ending);
    }
  }
  const TimePoint deadline = clock_.Now() + kStopWait;
  for (Stopping& one : all) {
    // The store may be out of order: the checkpoint in it is then older, which is always safe.
    one.stopped.wait_until(deadline);
    Task* const task = one.task;
    TargetEngine* const engine = task->engine;
    engine->Forget(task->spec.id);
    std::lock_guard lock(mutex_);  // from here on nobody asks the engine about it
    task->engine = nullptr;
    const auto at = one.last.tasks.find(task->spec.id);
    if (at != one.last.tasks.end() && at->second.safe_ts != 0) {
      task->safe_ts = at->second.safe_ts;
      task->target_ts = at->second.target_ts;
    }
    if (ending) SetPausedLocked(task, *ending);
  }
  CloseEmptyEngines();
}

// With `changes_` held.
void TaskManager::CloseEmptyEngines() {
  std::vector<std::future<void>> closing;
  for (const auto& [target, engine] : engines_) {
    if (engine->empty()) closing.push_back(engine->Close());
  }
  const TimePoint deadline = clock_.Now() + kCloseWait;
  for (const auto& closed : closing) closed.wait_until(deadline);
  std::erase_if(engines_, [](const auto& entry) { return entry.second->empty(); });
}

void TaskManager::SetPaused(Task* task, const Ending& ending) {
  std::lock_guard lock(mutex_);
  SetPausedLocked(task, ending);
}

void TaskManager::SetPausedLocked(Task* task, const Ending& ending) {
  task->state = TaskState::kPaused;
  task->reason = ending.reason;
  task->failed = ending.failed;
  transitions_.Record(task->spec.id, ending.failed ? RunState::kFailed : RunState::kPaused,
                      ending.reason, clock_.WallMillis());
}

// An empty reason: it is well again.
void TaskManager::OnWarning(const std::string& id, uint64_t run, const std::string& reason) {
  std::lock_guard changing(changes_);
  Task* const task = Find(id);
  if (task == nullptr || task->engine == nullptr || task->run != run) return;  // stopped before
  std::lock_guard lock(mutex_);
  transitions_.Record(id, reason.empty() ? RunState::kRunning : RunState::kWarning,
                      reason.empty() ? "the trouble is over" : reason, clock_.WallMillis());
}

void TaskManager::OnFailed(const std::string& id, uint64_t run, const Error& error) {
  std::lock_guard changing(changes_);
  Task* const task = Find(id);
  if (task == nullptr || task->engine == nullptr || task->run != run) return;  // stopped before
  StopFailed(task, error.message);
}

// With `changes_` held.
void TaskManager::StopFailed(Task* task, const std::string& reason) {
  const std::string& id = task->spec.id;
  LogError("task {} failed: {}", id, reason);
  StopTask(task, Ending{reason, true});
  const Status stored = store_->UpdateState(id, TaskState::kPaused, reason);
  if (!stored.ok()) LogError("task {}: state not stored: {}", id, stored.error().message);
}

// With `changes_` held.
Result<bool> TaskManager::RunsOn(Task* task) {
  if (task->state != TaskState::kRunning) return false;
  CDC_ASSIGN_OR_RETURN(const TaskStatus now, Get(task->spec.id));
  if (RunsWell(now)) return true;
  StopFailed(task, now.health_reason);
  return false;
}

Status TaskManager::Pause(const std::string& id) {
  std::lock_guard changing(changes_);
  if (stopping_) return ServerIsStopping();
  Task* const task = Find(id);
  if (task == nullptr) return TaskNotFound(id);
  // One that the store has not heard of yet can be asked for again, until it has.
  if (task->state == TaskState::kPaused && !task->pause_unstored) return TaskHasPaused(id);
  if (task->state != TaskState::kPaused) {
    StopTask(task, Ending{kManualPause, false});
    LogInfo("task {} paused", id);
  }
  const Status stored = store_->UpdateState(id, TaskState::kPaused, kManualPause);
  task->pause_unstored = !stored.ok();
  if (stored.ok()) return stored;
  return stored.error().Prefixed("fail to update the task state, task_id: " + id);
}

// Whether the log reaches back to the time of each channel.
Status TaskManager::CheckReaches(const std::map<std::string, Timestamp>& from) const {
  if (from.empty()) return OkStatus();
  std::set<std::string> names;
  for (const auto& [name, time] : from) names.insert(name);
  CDC_ASSIGN_OR_RETURN(const auto begins, source_->OldestHeld(names, kLogTimeout));
  for (const auto& [name, time] : from) {
    const auto begin = begins.find(name);
    if (begin != begins.end() && begin->second <= time) continue;
    const std::string wanted =
        Format("after the wanted {} ms: what was written in between cannot be repeated",
               PhysicalMillis(time));
    // Deleted to the last message, for the task has read further than that.
    if (begin == begins.end()) {
      return FatalError(Format("the log of channel {} holds nothing now, it goes on {}. Copy the "
                               "collections anew",
                               name, wanted),
                        ErrorKind::kPositionGone);
    }
    const int64_t oldest_ms = PhysicalMillis(begin->second);
    return FatalError(
        Format("the log of channel {} begins at {} ms, {}. Set the task back to {} at "
               "the earliest, or copy the collections anew",
               name, oldest_ms, wanted, oldest_ms + 1),
        ErrorKind::kPositionGone);
  }
  return OkStatus();
}

// Whether the log still holds all places from which the task would go on.
Status TaskManager::CheckHeld(const TaskProgress& progress) const {
  std::map<std::string, LogPosition> places;
  std::map<std::string, Timestamp> from;  // set back: the time alone says where they go on
  for (const auto& [name, checkpoint] : NeededChannels(progress)) {
    places[name] = checkpoint.seek;
    if (checkpoint.seek.kind == LogPosition::Kind::kEarliest && checkpoint.filter != 0) {
      from[name] = checkpoint.filter;
    }
  }
  if (places.empty()) return OkStatus();
  // A log that does not answer is a passing trouble, which the running task shows.
  const auto gone = [](const auto& answer) {
    return !answer.ok() && answer.error().kind == ErrorKind::kPositionGone;
  };
  if (const Status reaches = CheckReaches(from); gone(reaches)) return reaches;
  const auto held = source_->Held(std::move(places), kLogTimeout);
  return gone(held) ? Status(held.error()) : OkStatus();
}

Status TaskManager::Resume(const std::string& id, bool accept_source) {
  if (stopping_) return ServerIsStopping();
  // A task that says it failed can be resumed, even before its last run has come to an end.
  CDC_ASSIGN_OR_RETURN(const TaskStatus seen, Get(id));
  if (RunsWell(seen)) return TaskHasRunning(id);
  CDC_ASSIGN_OR_RETURN(const TaskProgress progress, store_->LoadProgress(id));
  // Before others are kept from changing anything: the log may not answer for long.
  Status started = CheckHeld(progress);

  std::lock_guard changing(changes_);
  if (stopping_) return ServerIsStopping();
  Task* const task = Find(id);
  if (task == nullptr) return TaskNotFound(id);
  CDC_ASSIGN_OR_RETURN(const bool runs, RunsOn(task));
  if (runs) return TaskHasRunning(id);
  if (accept_source) {
    ProgressWrite write;
    write.task = id;
    write.source = SourceIdentity{};  // the next one seen is taken for the right one
    write.rbac = RbacCatalog{};       // and what it has not is none of its users
    CDC_RETURN_IF_ERROR(store_->WriteProgress(write));
    LogInfo("task {}: the source's etcd is accepted as it is", id);
  }
  if (started.ok()) {
    CDC_RETURN_IF_ERROR(store_->UpdateState(id, TaskState::kRunning, ""));
    started = StartTask(task, "resumed");
  }
  if (started.ok()) return OkStatus();
  SetPaused(task, {started.error().message, true});
  (void)store_->UpdateState(id, TaskState::kPaused, started.error().message);
  return started.error().Prefixed("fail to start the task, task_id: " + id);
}

Result<TaskProgress> TaskManager::Progress(const std::string& id) {
  if (!Exists(id)) return TaskNotFound(id);
  return store_->LoadProgress(id);
}

// What sets a task back, with `changes_` held.
Result<ProgressWrite> TaskManager::BackTo(const std::string& id, int64_t to_ms) const {
  CDC_ASSIGN_OR_RETURN(const TaskProgress progress, store_->LoadProgress(id));
  const Timestamp to = ComposeTimestamp(to_ms);
  ProgressWrite write;
  write.task = id;
  const auto needed = NeededChannels(progress);
  std::map<std::string, Timestamp> from;
  for (const auto& [name, checkpoint] : progress.channels) {
    if (checkpoint.filter <= to) continue;  // not that far
    if (needed.contains(name)) from[name] = to;
    // From the oldest that is held; what is not after `to` is passed over. The fence stays: all of
    // it may have been sent, and is repeated idempotently.
    ChannelCheckpoint back{name, LogPosition{}, to, std::max(checkpoint.fence, checkpoint.filter)};
    write.channels.push_back(std::move(back));
  }
  if (write.channels.empty()) {
    return InvalidError("the task has not come that far yet; choose an earlier time");
  }
  CDC_RETURN_IF_ERROR(CheckReaches(from));
  LogInfo("task {} set back to {} ms on {} channels", id, to_ms, write.channels.size());
  return write;
}

Status TaskManager::Rewind(const std::string& id, int64_t to_ms) {
  std::lock_guard changing(changes_);
  if (stopping_) return ServerIsStopping();
  Task* const task = Find(id);
  if (task == nullptr) return TaskNotFound(id);
  CDC_ASSIGN_OR_RETURN(const bool runs, RunsOn(task));
  if (runs) {
    return FatalError("the task is running; pause it before it is set back, task_id: " + id,
                      ErrorKind::kConflict);
  }
  CDC_ASSIGN_OR_RETURN(const ProgressWrite write, BackTo(id, to_ms));
  CDC_RETURN_IF_ERROR(store_->WriteProgress(write));
  std::lock_guard lock(mutex_);
  task->safe_ts = std::min(task->safe_ts, ComposeTimestamp(to_ms));
  return OkStatus();
}

Status TaskManager::Delete(const std::string& id) {
  std::lock_guard changing(changes_);
  if (stopping_) return ServerIsStopping();
  Task* const task = Find(id);
  if (task == nullptr) return TaskNotFound(id);
  StopTask(task, std::nullopt);
  const Status deleted = store_->DeleteTask(id);
  // Not found: an earlier attempt was answered with an error and made all the same.
  if (!deleted.ok() && deleted.error().kind != ErrorKind::kNotFound) {
    const Error error = deleted.error().Prefixed("fail to delete the task meta, task_id: " + id);
    if (task->state == TaskState::kRunning)
      SetPaused(task, {error.message, true});  // it was stopped
    return error;
  }
  std::lock_guard lock(mutex_);
  tasks_.erase(id);
  transitions_.Forget(id);
  LogInfo("task {} deleted; what it made on the target stays there", id);
  return OkStatus();
}

void TaskManager::Stop() {
  if (stopping_.exchange(true)) return;
  retention_->Stop();
  janitor_->Stop();
  std::lock_guard changing(changes_);
  std::vector<Task*> running;
  {
    std::lock_guard lock(mutex_);
    for (auto& [id, task] : tasks_) {
      if (task.engine != nullptr) running.push_back(&task);
    }
  }
  StopTasks(running, std::nullopt);
}

}  // namespace cdc
