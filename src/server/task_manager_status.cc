// What the task manager tells about its tasks.
#include <algorithm>
#include <utility>

#include "server/task_manager.h"

namespace cdc {
namespace {

void FillHealth(const ReplicationStatus& running, TaskStatus* status) {
  if (!running.failed && !running.warning) return;
  status->health = running.failed ? Health::kFailed : Health::kWarning;
  status->health_reason = running.reason;
  status->health_since_ms = running.since_ms;
  status->health_retries = running.retries;
  status->health_next_attempt_ms = running.retry_at_ms;
}

// What only a running task has to tell.
void FillRunning(const ReplicationStatus& running, const TargetEngine::Snapshot& engine,
                 TaskStatus* status) {
  FillHealth(running, status);
  status->safe_ts = running.safe_ts;
  status->target_ts = running.target_ts;
  status->lag_ms = running.lag_ms;
  status->counters.rows_inserted = running.counters.rows_inserted;
  status->counters.rows_deleted = running.counters.rows_deleted;
  status->counters.rows_replayed = running.counters.rows_replayed;
  status->counters.bytes = running.counters.bytes;
  status->counters.retries = running.counters.troubles;
  status->counters.messages_skipped = running.counters.messages_skipped;
  status->counters.messages_other = running.counters.messages_other;
  status->counters.operations_unknown = running.counters.operations_unknown;
  status->counters.duplicate_keys = engine.duplicate_keys;
  status->counters.calls["write"] = engine.calls;
  for (const ReplicatedChannel& one : running.channels) {
    status->channels.push_back({one.name, one.read_ts, one.acked_ts});
  }
  status->collection_count = running.collection_count;
  for (const ReplicatedCollection& one : running.collections) {
    status->collections.push_back({one.source_database, one.source_name, one.source_id,
                                   one.target.database, one.target.collection, one.phase,
                                   one.safe_ts, one.lag_ms});
  }
}

}  // namespace

// With the mutex held: all but what the engine knows.
TaskStatus TaskManager::StatusOf(const Task& task, TaskDetail detail) const {
  const std::string& id = task.spec.id;
  TaskStatus status;
  status.id = id;
  status.mode = task.spec.mode;
  status.mode_reason = task.spec.mode_reason;
  if (task.spec.mode != TargetMode::kBlackhole) status.target_uri = UriOf(task.spec.target);
  status.selection = task.spec.selection;
  status.request_json = task.spec.request_json;
  status.state = task.state;
  status.reason = task.reason;
  status.since_ms = transitions_.SinceMs(id);
  if (detail == TaskDetail::kFull) status.transitions = transitions_.Of(id);
  status.safe_ts = task.safe_ts;
  status.target_ts = task.target_ts;
  if (task.failed) {
    status.health = Health::kFailed;
    status.health_reason = task.reason;
    status.health_since_ms = status.since_ms.value_or(0);
  }
  if (const auto headroom = retention_->Of(id)) {
    status.log_headroom_seconds = headroom->seconds;
    status.log_headroom_bytes = headroom->bytes;
    if (!task.failed && !headroom->warning.empty()) {
      status.health = Health::kWarning;
      status.health_reason = headroom->warning;
      status.health_since_ms = headroom->since_ms;
      status.health_retries = headroom->looks;
    }
  }
  return status;
}

// With the mutex held. One visit to each engine: its thread is busy with rows.
std::vector<TaskStatus> TaskManager::StatusOfAll(const std::vector<const Task*>& tasks,
                                                 TaskDetail detail) const {
  std::map<TargetEngine*, std::vector<std::string>> running;
  for (const Task* task : tasks) {
    if (task->engine != nullptr) running[task->engine].push_back(task->spec.id);
  }
  std::map<TargetEngine*, TargetEngine::Snapshot> seen;
  for (const auto& [engine, ids] : running) {
    seen[engine] = engine->StatusOf(ids, detail == TaskDetail::kFull);
  }
  std::vector<TaskStatus> all;
  for (const Task* task : tasks) {
    TaskStatus status = StatusOf(*task, detail);
    if (task->engine != nullptr) {
      const TargetEngine::Snapshot& engine = seen.at(task->engine);
      const auto at = engine.tasks.find(task->spec.id);  // none: it is just being stopped
      if (at != engine.tasks.end()) FillRunning(at->second, engine, &status);
    }
    all.push_back(std::move(status));
  }
  return all;
}

Result<std::vector<TaskStatus>> TaskManager::List(TaskDetail detail) {
  std::lock_guard lock(mutex_);
  std::vector<const Task*> ordered;
  for (const auto& [id, task] : tasks_) ordered.push_back(&task);
  std::sort(ordered.begin(), ordered.end(),
            [](const Task* a, const Task* b) { return a->order < b->order; });
  return StatusOfAll(ordered, detail);
}

Result<TaskStatus> TaskManager::Get(const std::string& id) {
  std::lock_guard lock(mutex_);
  const auto it = tasks_.find(id);
  if (it == tasks_.end()) return TaskNotFound(id);
  return std::move(StatusOfAll({&it->second}, TaskDetail::kFull).front());
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

}  // namespace cdc
