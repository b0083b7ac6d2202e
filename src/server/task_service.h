// TaskService: what the HTTP API can ask of the tasks. Implemented by the task manager, faked in
// tests.
//
// Called from several HTTP threads at once, each of which may be blocked for seconds. Error
// messages reach the user as they are: one line that says what to do, without secrets. Their kinds
// decide on the code of the answer (server/problem.h, server/request.h).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/task.h"
#include "pipeline/ports.h"
#include "server/finding.h"
#include "server/task_status.h"

namespace cdc {

enum class TaskDetail {
  kSummary,  // without collections and transitions: cheap, however large the tasks are
  kFull,
};

struct CreatedTask {
  std::string id;
  bool existed = false;  // it was there already, and nothing was changed
};

class TaskService {
 public:
  virtual ~TaskService() = default;

  // Connects to the target, resolves kAuto, refuses what clashes with a task on the same target
  // (kConflict), persists and starts the task. An empty id: one is made. Creating an id that exists
  // answers success. kLimit: there are as many tasks as allowed.
  virtual Result<CreatedTask> Create(TaskSpec spec) = 0;
  // Does all that Create does up to storing; fails where it would fail.
  virtual Result<TaskPlan> Plan(TaskSpec spec) = 0;
  // Looks at the source, the positions of all tasks and, unless `spec` is null, at what would keep
  // that task from working: see server/preflight.h. Changes nothing.
  virtual std::vector<Finding> Preflight(const TaskSpec* spec) = 0;
  // In order of creation.
  virtual Result<std::vector<TaskStatus>> List(TaskDetail detail) = 0;
  virtual Result<TaskStatus> Get(const std::string& task) = 0;  // TaskNotFound; kFull
  virtual Status Pause(const std::string& task) = 0;            // TaskNotFound, TaskHasPaused
  // TaskNotFound, TaskHasRunning. `accept_source`: a person has confirmed that the source's etcd,
  // which is not the one that it was, is the right one.
  virtual Status Resume(const std::string& task, bool accept_source) = 0;
  // Sets a paused task back: everything the source wrote after `to_ms` (its clock, Unix
  // milliseconds) is replicated once more, idempotently. TaskNotFound; kConflict: it is running;
  // kInvalid: it is not that far yet; kPositionGone: the log no longer reaches back to then.
  virtual Status Rewind(const std::string& task, int64_t to_ms) = 0;
  // What a restart would begin with. TaskNotFound.
  virtual Result<TaskProgress> Progress(const std::string& task) = 0;
  virtual Status Delete(const std::string& task) = 0;  // TaskNotFound

  // The process ends: calls in progress return soon, with an error if need be; later ones fail at
  // once; tasks stop where they are and keep their state. Blocks until that is done.
  virtual void Stop() = 0;
};

inline Error TaskNotFound(const std::string& task) {
  return FatalError("not found the task, task_id: " + task, ErrorKind::kNotFound);
}
inline Error TaskHasPaused(const std::string& task) {
  return FatalError("the task has paused, task_id: " + task, ErrorKind::kConflict);
}
inline Error TaskHasRunning(const std::string& task) {
  return FatalError("the task has running, task_id: " + task, ErrorKind::kConflict);
}
inline Error ServerIsStopping() {
  return RetryError("the server is stopping");
}

}  // namespace cdc
