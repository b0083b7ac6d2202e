// Store: what survives us. Tasks, their progress, and the clocks of target lanes.
//
// Owned by the server. The task calls block until they are durable, and are safe from any thread
// except an executor that must not block. Progress is written without blocking through the
// ProgressStore that OpenProgress() returns. All calls of all threads take effect in one order, the
// order in which they were made: a DeleteTask never overtakes a Commit issued before it.
//
// Errors: kRetry (disk full, database busy or away; nothing was written, or with kUnknownOutcome
// possibly all of it), kNotFound (no such task), kAlreadyExists, corrupt or fatal (the store cannot
// be used; it is left as it is).
//
// The store holds each task's token, which is a secret: implementations keep it readable for the
// owner of the process only, and it is in no log line and no error text.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/result.h"
#include "model/task.h"
#include "model/timestamp.h"
#include "pipeline/ports.h"

namespace cdc {

struct StoredTask {
  TaskSpec spec;
  TaskState state = TaskState::kInitial;
  std::string reason;  // why it is in this state; one line, may be empty
};

class Store {
 public:
  virtual ~Store() = default;

  // ---- tasks
  // In the order of their creation.
  virtual Result<std::vector<StoredTask>> ListTasks() = 0;
  // kNotFound if there is no such task.
  virtual Result<StoredTask> LoadTask(const std::string& task) = 0;
  // Adds a task; kAlreadyExists if its id is taken.
  virtual Status AddTask(const StoredTask& task) = 0;
  // Adds the task together with its first progress (`write.task` must be its id), in one atomic
  // step: after a crash there is either a task that knows where to start, or none.
  virtual Status AddTask(const StoredTask& task, const ProgressWrite& write) = 0;
  // Replaces the spec of an existing task and leaves state and progress as they are; kNotFound.
  virtual Status UpdateSpec(const TaskSpec& spec) = 0;
  virtual Status UpdateState(const std::string& task, TaskState state,
                             const std::string& reason) = 0;
  // Removes the task and all its progress; kNotFound. Lane fences stay: they belong to the target.
  virtual Status DeleteTask(const std::string& task) = 0;

  // ---- progress
  // Everything remembered of a task; empty values where nothing is; kNotFound.
  virtual Result<TaskProgress> LoadProgress(const std::string& task) = 0;
  // Makes the write durable, all of it or nothing; for a task that is not running. kNotFound.
  virtual Status WriteProgress(const ProgressWrite& write) = 0;
  // Lane -> fence of a target, by the identity that ProgressWrite::target names.
  virtual Result<std::map<std::string, Timestamp>> LoadLaneFences(const std::string& target) = 0;

  // A writer whose callbacks run on `executor`. It may be destroyed before the store (never after)
  // and before `executor`: writes it was given are still made, their callbacks are not called.
  // Commit() of a task that does not exist (any more) fails with kNotFound; a write with an empty
  // task id may name only target and lanes. On kRetry the same write may be issued again.
  virtual std::unique_ptr<ProgressStore> OpenProgress(Executor& executor) = 0;
};

}  // namespace cdc
