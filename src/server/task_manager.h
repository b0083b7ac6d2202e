// TaskManager: creates, starts, stops and lists tasks; the TaskService behind the HTTP API.
//
// Every call may block for seconds and is safe from any thread. Calls that change one task are made
// one after another; a failing task is stopped by a thread of the manager's own. Owned by the
// server.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/thread_executor.h"
#include "server/config.h"
#include "server/retention_watch.h"
#include "server/source_runtime.h"
#include "server/target_engine.h"
#include "server/task_service.h"
#include "store/store.h"

namespace cdc {

class TaskManager final : public TaskService {
 public:
  TaskManager(const ServerConfig& config, SourceRuntime* source, Store* store);
  ~TaskManager() override;

  // Starts every task that was running when the process ended. Errors: the store cannot be read.
  Status StartStored();

  Result<std::string> Create(TaskSpec spec) override;
  Result<std::vector<TaskStatus>> List() override;
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
    TaskState state = TaskState::kInitial;
    std::string reason;
    bool failed = false;
    TargetEngine* engine = nullptr;  // while running
    uint64_t order = 0;
  };

  Status CheckClash(TaskSpec* spec) const;
  Result<ProgressWrite> FirstProgress(const TaskSpec& spec) const;
  Status CheckHeld(const TaskProgress& progress) const;
  Result<TargetEngine*> EngineFor(const TaskSpec& spec);
  Status StartTask(Task* task);
  void StopTask(Task* task);
  void OnFailed(const std::string& id, const Error& error);
  TaskStatus StatusOf(const Task& task) const;
  std::map<std::string, TaskProgress> AllProgress() const;

  const ServerConfig config_;
  SourceRuntime* const source_;
  Store* const store_;
  mutable std::mutex mutex_;  // of everything below
  std::map<std::string, Task> tasks_;
  std::map<std::string, std::unique_ptr<TargetEngine>> engines_;
  uint64_t next_order_ = 0;
  std::atomic<bool> stopping_{false};
  std::unique_ptr<ThreadExecutor> janitor_;  // stops tasks that failed
  std::unique_ptr<RetentionWatch> retention_;
};

// Names a target by where it is, not by how its address is spelled: the host's first address and
// the port.
std::string TargetIdentity(const TargetAddress& address);

}  // namespace cdc
