// TaskService: what the HTTP API can ask of the tasks. Implemented by the task manager, faked in
// tests.
//
// Called from several HTTP threads at once, each of which may be blocked for seconds. Error
// messages reach the user as they are: one line that says what to do, without secrets. The kinds
// kInvalid, kNotFound, kAlreadyExists, kNotStandby, kStandby and kUnsupported are the user's to
// mend (code 400), all others are ours or the peer's (code 500).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/task.h"
#include "pipeline/ports.h"
#include "server/task_status.h"

namespace cdc {

class TaskService {
 public:
  virtual ~TaskService() = default;

  // Connects to the target, resolves kAuto, refuses what clashes with a task on the same target,
  // persists and starts the task. `spec.id` is never empty. The answer is the id; creating an id
  // that exists answers success and changes nothing.
  virtual Result<std::string> Create(TaskSpec spec) = 0;
  // In order of creation.
  virtual Result<std::vector<TaskStatus>> List() = 0;
  virtual Result<TaskStatus> Get(const std::string& task) = 0;  // TaskNotFound
  virtual Status Pause(const std::string& task) = 0;            // TaskNotFound, TaskHasPaused
  // TaskNotFound, TaskHasRunning. `accept_source`: a person has confirmed that the source's etcd,
  // which is not the one that it was, is the right one.
  virtual Status Resume(const std::string& task, bool accept_source) = 0;
  // Sets a paused task back: everything the source wrote after `to_ms` (its clock, Unix
  // milliseconds) is replicated once more, idempotently. TaskNotFound; kInvalid: it is running, it
  // is not that far yet, or the log no longer reaches back to then.
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
  return InvalidError("the task has paused, task_id: " + task);
}
inline Error TaskHasRunning(const std::string& task) {
  return InvalidError("the task has running, task_id: " + task);
}

}  // namespace cdc
