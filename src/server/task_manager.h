// TaskManager: creates, starts, stops and lists tasks; the TaskService behind the HTTP API.
//
// Every call is safe from any thread. Those that change a task are made one after another and may
// block for seconds, on the store, the log or the target; those that only ask (Get, List) wait for
// none of that. A failing task is stopped by a thread of the manager's own. Owned by the server.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/thread_executor.h"
#include "server/config.h"
#include "server/retention_watch.h"
#include "server/source_runtime.h"
#include "server/target_engine.h"
#include "server/task_plan.h"
#include "server/task_service.h"
#include "server/transition_log.h"
#include "sink/milvus/target_mode.h"
#include "store/store.h"

namespace cdc {

class TaskManager final : public TaskService {
 public:
  TaskManager(const ServerConfig& config, SourceRuntime* source, Store* store);
  ~TaskManager() override;

  // Starts every task that was running when the process ended. Errors: the store cannot be read.
  Status StartStored();

  Result<CreatedTask> Create(TaskSpec spec) override;
  Result<TaskPlan> Plan(TaskSpec spec) override;
  std::vector<Finding> Preflight(const TaskSpec* spec) override;
  Result<std::vector<TaskStatus>> List(TaskDetail detail) override;
  Result<TaskStatus> Get(const std::string& task) override;
  Status Pause(const std::string& task) override;
  Status Resume(const std::string& task, bool accept_source) override;
  Status Rewind(const std::string& task, int64_t to_ms) override;
  Result<TaskProgress> Progress(const std::string& task) override;
  Status Delete(const std::string& task) override;
  void Stop() override;

 private:
  struct Task {
    TaskSpec spec;
    std::string target;  // its identity
    TaskState state = TaskState::kInitial;
    std::string reason;
    bool failed = false;
    TargetEngine* engine = nullptr;  // while running
    uint64_t run = 0;                // how often it was started; of `changes_`
    bool pause_unstored = false;     // after a restart it would run; of `changes_`
    uint64_t order = 0;
    // When it was stopped.
    Timestamp safe_ts = 0;
    Timestamp target_ts = 0;
  };
  // Why a task does not run.
  struct Ending {
    std::string reason;
    bool failed = false;  // it needs a person
  };
  // A task that could be created: nothing of it is stored yet.
  struct Prepared {
    TaskSpec spec;
    std::string target;
    ProgressWrite first;
    std::vector<CollectionStatus> collections;
  };

  Result<Prepared> Prepare(TaskSpec spec);
  Status CheckRoom() const;
  Status CheckClash(const std::string& target, TaskSpec* spec) const;
  Status FillFirstProgress(Prepared* prepared, PlannedSource* plan) const;
  Status CheckRoomOnTarget(const TaskSpec& spec, const ResolvedMode& mode,
                           const PlannedSource& plan) const;
  Status CheckHeld(const TaskProgress& progress) const;
  Status CheckReaches(const std::map<std::string, Timestamp>& from) const;
  Result<ProgressWrite> BackTo(const std::string& id, int64_t to_ms) const;
  void StartLoaded(const StoredTask& stored, std::string target);
  Result<TargetEngine*> EngineFor(const Task& task);
  Status StartTask(Task* task, const std::string& why);
  // With `ending` it is paused in the same step: nobody sees it running without an engine.
  void StopTask(Task* task, const std::optional<Ending>& ending) { StopTasks({task}, ending); }
  void StopTasks(const std::vector<Task*>& tasks, const std::optional<Ending>& ending);
  void CloseEmptyEngines();
  // What an earlier run than the `run`th tells is too late.
  void OnFailed(const std::string& id, uint64_t run, const Error& error);
  void OnWarning(const std::string& id, uint64_t run, const std::string& reason);
  void StopFailed(Task* task, const std::string& reason);
  // Whether it runs well; one that says it failed is stopped, if that was still to be done.
  Result<bool> RunsOn(Task* task);
  void SetPaused(Task* task, const Ending& ending);
  void SetPausedLocked(Task* task, const Ending& ending);
  bool Exists(const std::string& id) const;
  // Null: there is none. The pointer holds as long as `changes_`.
  Task* Find(const std::string& id);

  // task_manager_status.cc
  TaskStatus StatusOf(const Task& task, TaskDetail detail) const;
  std::vector<TaskStatus> StatusOfAll(const std::vector<const Task*>& tasks,
                                      TaskDetail detail) const;
  std::map<std::string, TaskProgress> AllProgress() const;

  const ServerConfig config_;
  SourceRuntime* const source_;
  Store* const store_;
  const SystemClock clock_;
  // Held for the whole of a call that changes a task; taken before `mutex_`, which alone is what
  // asking takes: nothing that waits for a peer, the store or a task's end is done under it. What
  // `mutex_` guards is written under both.
  std::mutex changes_;
  std::map<std::string, std::unique_ptr<TargetEngine>> engines_;  // by target; of `changes_`
  uint64_t next_order_ = 0;                                       // of `changes_`
  mutable std::mutex mutex_;
  std::map<std::string, Task> tasks_;
  TransitionLog transitions_;
  std::atomic<bool> stopping_{false};
  std::unique_ptr<ThreadExecutor> janitor_;  // stops tasks that failed
  std::unique_ptr<RetentionWatch> retention_;
};

}  // namespace cdc
