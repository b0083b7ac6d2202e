// How the task manager makes a task.
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "base/random_name.h"
#include "server/overlap.h"
#include "server/preflight_probes.h"
#include "server/target_identity.h"
#include "server/task_manager.h"
#include "server/task_plan.h"
#include "server/task_start.h"
#include "sink/milvus/target_mode.h"

namespace cdc {
namespace {

constexpr Duration kLogTimeout = std::chrono::seconds(10);

}  // namespace

// With the mutex held.
Status TaskManager::CheckRoom() const {
  if (tasks_.size() < static_cast<size_t>(config_.max_task_num)) return OkStatus();
  return FatalError(Format("the task num has reach the limit, {}", config_.max_task_num),
                    ErrorKind::kLimit);
}

// With the mutex held. Refuses what another task on the same target does already; a broader
// selection leaves out what the others replicate.
Status TaskManager::CheckClash(const std::string& target, TaskSpec* spec) const {
  std::vector<Selection> existing;
  for (const auto& [id, other] : tasks_) {
    if (other.target != target) continue;
    if (other.spec.target.token != spec->target.token) {
      return FatalError(Format("task {} writes to this target with other credentials; use the "
                               "same ones, for all tasks of a target share its connections",
                               id),
                        ErrorKind::kConflict);
    }
    if (other.spec.enable_user_role && spec->enable_user_role) {
      return FatalError("the enable user role param is duplicate", ErrorKind::kConflict);
    }
    existing.push_back(other.spec.selection);
  }
  return ResolveOverlap(existing, &spec->selection);
}

// What would make the task fail with its first step on the target is said before there is one.
Status TaskManager::CheckRoomOnTarget(const TaskSpec& spec, const ResolvedMode& mode,
                                      const PlannedSource& plan) const {
  if (spec.mode == TargetMode::kBlackhole) return OkStatus();
  PreflightPorts ports;
  ports.open_target = ProbeTarget;
  std::string wrong;
  ErrorKind kind = ErrorKind::kInvalid;
  for (const Finding& finding : cdc::Preflight(std::move(ports)).RunCollections(spec, mode, plan)) {
    if (finding.severity != Severity::kError) continue;
    if (finding.check == "target.names") kind = ErrorKind::kAlreadyExists;
    if (finding.check == "target.reachable") kind = ErrorKind::kUnavailable;
    wrong += (wrong.empty() ? "" : ". ") + finding.what + ": " + finding.what_to_do;
  }
  if (wrong.empty()) return OkStatus();
  return kind == ErrorKind::kUnavailable ? RetryError(wrong, kind) : FatalError(wrong, kind);
}

// All that can fail before something is stored. Its id is not taken.
Result<TaskManager::Prepared> TaskManager::Prepare(TaskSpec spec) {
  if (stopping_) return ServerIsStopping();
  Prepared prepared;
  prepared.target = IdentityOf(spec);
  {
    std::lock_guard lock(mutex_);
    CDC_RETURN_IF_ERROR(CheckRoom());
    CDC_RETURN_IF_ERROR(CheckClash(prepared.target, &spec));
  }
  const Result<ResolvedMode> resolved = ResolveMode(spec.mode, spec.target);
  if (!resolved.ok()) {
    const ErrorKind kind = resolved.error().kind;
    const bool reached = kind == ErrorKind::kNotStandby || kind == ErrorKind::kStandby;
    return reached ? resolved.error() : resolved.error().Prefixed("fail to connect the milvus");
  }
  spec.mode = resolved->mode;
  spec.mode_reason = resolved->reason;
  prepared.spec = std::move(spec);
  PlannedSource plan;
  CDC_RETURN_IF_ERROR(FillFirstProgress(&prepared, &plan));
  CDC_RETURN_IF_ERROR(CheckRoomOnTarget(prepared.spec, *resolved, plan));
  prepared.collections = std::move(plan.collections);
  return prepared;
}

// The positions from which the task will read, taken before the catalog is listed for it: whatever
// happens afterwards is replicated, and what was written since the places that the request names.
Status TaskManager::FillFirstProgress(Prepared* prepared, PlannedSource* plan) const {
  CDC_ASSIGN_OR_RETURN(const CatalogUpdate catalog, source_->ListCatalog());
  CDC_ASSIGN_OR_RETURN(*plan, PlanSource(prepared->spec.selection, catalog));
  SourceNow now;
  CDC_ASSIGN_OR_RETURN(now.ends, source_->LatestPositions(plan->channels, kLogTimeout));
  now.operation_topic = source_->operation_topic();
  now.now = ComposeTimestamp(clock_.WallMillis());
  now.decode = [this](const std::string& bytes) { return source_->DecodeId(bytes); };
  CDC_ASSIGN_OR_RETURN(ResolvedStart resolved, ResolveStart(prepared->spec, *plan, now));
  LogQuestions log;
  log.held = [this](auto places) { return source_->Held(std::move(places), kLogTimeout); };
  log.oldest = [this](const auto& channels) { return source_->OldestHeld(channels, kLogTimeout); };
  CDC_RETURN_IF_ERROR(cdc::CheckHeld(resolved, log));
  ProgressWrite& write = prepared->first;
  write.task = prepared->spec.id;
  // Nothing has been sent: no filter, no fence.
  for (const auto& [channel, from] : resolved.channels) {
    write.channels.push_back({channel, from, 0, 0});
  }
  write.operations = resolved.operations;
  prepared->spec.start = std::move(resolved.start);
  write.source = SourceIdentity{catalog.cluster_id, catalog.revision};
  return OkStatus();
}

Result<CreatedTask> TaskManager::Create(TaskSpec spec) {
  if (spec.id.empty()) spec.id = RandomName();
  const std::string id = spec.id;
  if (Exists(id)) return CreatedTask{id, true};
  CDC_ASSIGN_OR_RETURN(Prepared prepared, Prepare(std::move(spec)));

  std::lock_guard changing(changes_);
  if (stopping_) return ServerIsStopping();
  {
    std::lock_guard lock(mutex_);  // once more: others were created meanwhile
    if (tasks_.contains(id)) return CreatedTask{id, true};
    CDC_RETURN_IF_ERROR(CheckRoom());
    CDC_RETURN_IF_ERROR(CheckClash(prepared.target, &prepared.spec));
  }
  const Status stored = store_->AddTask({prepared.spec, TaskState::kRunning, ""}, prepared.first);
  if (!stored.ok()) return stored.error().Prefixed("fail to put the task info");
  Task* task = nullptr;
  {
    std::lock_guard lock(mutex_);
    task = &tasks_[id];
    task->spec = std::move(prepared.spec);
    task->target = std::move(prepared.target);
    task->state = TaskState::kRunning;
    task->order = next_order_++;
  }
  const Status started = StartTask(task, "created");
  if (!started.ok()) {
    const Status removed = store_->DeleteTask(id);
    if (!removed.ok() && removed.error().kind != ErrorKind::kNotFound) {
      // It is stored and would run after the next start: better listed than forgotten.
      LogError("task {} is stored but does not start: {}", id, removed.error().message);
      SetPaused(task, {"fail to start task, err: " + started.error().message, true});
      return started.error();
    }
    std::lock_guard lock(mutex_);
    tasks_.erase(id);
    return started.error();
  }
  LogInfo("task {} created: mode {} ({})", id, ToString(task->spec.mode), task->spec.mode_reason);
  return CreatedTask{id, false};
}

Result<TaskPlan> TaskManager::Plan(TaskSpec spec) {
  TaskPlan plan;
  plan.id = spec.id;
  if (!spec.id.empty() && Exists(spec.id)) {
    CDC_ASSIGN_OR_RETURN(TaskStatus task, Get(spec.id));
    plan.exists = true;
    plan.mode = task.mode;
    plan.mode_reason = std::move(task.mode_reason);
    plan.target_uri = std::move(task.target_uri);
    plan.selection = std::move(task.selection);
    plan.collections = std::move(task.collections);
    return plan;
  }
  CDC_ASSIGN_OR_RETURN(Prepared prepared, Prepare(std::move(spec)));
  plan.mode = prepared.spec.mode;
  plan.mode_reason = std::move(prepared.spec.mode_reason);
  if (plan.mode != TargetMode::kBlackhole) plan.target_uri = UriOf(prepared.spec.target);
  plan.selection = std::move(prepared.spec.selection);
  plan.collections = std::move(prepared.collections);
  return plan;
}

std::vector<Finding> TaskManager::Preflight(const TaskSpec* spec) {
  const std::unique_ptr<PreflightSource> source = ProbeSource(source_);
  PreflightPorts ports = RealPorts(source.get());
  ports.admit = [this](TaskSpec* task) -> Status {
    const std::string target = IdentityOf(*task);
    std::lock_guard lock(mutex_);
    CDC_RETURN_IF_ERROR(CheckRoom());
    return CheckClash(target, task);
  };
  ports.exists = [this](const std::string& id) { return Exists(id); };
  ports.progresses = [this] { return AllProgress(); };
  return cdc::Preflight(std::move(ports)).Run(spec);
}

}  // namespace cdc
