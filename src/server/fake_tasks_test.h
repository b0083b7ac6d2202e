// Tasks in memory, with the rules of TaskService: what tests of the HTTP API stand on.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/random_name.h"
#include "server/task_service.h"

namespace cdc {

class FakeTasks final : public TaskService {
 public:
  Result<CreatedTask> Create(TaskSpec spec) override {
    if (create_error.has_value()) return *create_error;
    if (spec.id.empty()) spec.id = RandomName();
    if (Find(spec.id) != nullptr) return CreatedTask{spec.id, true};
    if (tasks.size() >= max_tasks) {
      return FatalError(Format("the task num has reach the limit, {}", max_tasks),
                        ErrorKind::kLimit);
    }
    TaskStatus status;
    status.id = spec.id;
    status.mode = TargetMode::kReplicate;
    status.mode_reason = "the target is a standby";
    status.target_uri = UriOf(spec.target);
    status.selection = spec.selection;
    status.request_json = spec.request_json;
    status.state = TaskState::kRunning;
    status.since_ms = 1700000000000;
    status.transitions = {{1700000000000, std::nullopt, RunState::kRunning, "created"}};
    tasks.push_back(status);
    return CreatedTask{spec.id, false};
  }
  Result<TaskPlan> Plan(TaskSpec spec) override {
    if (create_error.has_value()) return *create_error;
    TaskPlan plan;
    plan.id = spec.id;
    plan.exists = Find(spec.id) != nullptr;
    plan.mode = TargetMode::kApi;
    plan.mode_reason = "the target takes plain writes only";
    plan.target_uri = UriOf(spec.target);
    plan.selection = spec.selection;
    plan.collections = {{"default", "a", 449000000000000001, "default", "a", ""}};
    return plan;
  }
  std::vector<Finding> Preflight(const TaskSpec* spec) override {
    std::vector<Finding> all = findings;
    if (spec != nullptr) all.push_back({"target.reachable", Severity::kOk, "it answers", ""});
    return all;
  }
  Result<std::vector<TaskStatus>> List(TaskDetail detail) override {
    if (list_error.has_value()) return *list_error;
    std::vector<TaskStatus> all = tasks;
    if (detail == TaskDetail::kSummary) {
      for (TaskStatus& task : all) {
        task.collections.clear();
        task.transitions.clear();
      }
    }
    return all;
  }
  Result<TaskStatus> Get(const std::string& id) override {
    const TaskStatus* task = Find(id);
    if (task == nullptr) return TaskNotFound(id);
    return *task;
  }
  Status Rewind(const std::string& id, int64_t to_ms) override {
    if (Find(id) == nullptr) return TaskNotFound(id);
    if (change_error.has_value()) return *change_error;
    rewound_to = to_ms;
    return OkStatus();
  }
  Result<TaskProgress> Progress(const std::string& id) override {
    if (Find(id) == nullptr) return TaskNotFound(id);
    return progress;
  }
  Status Pause(const std::string& id) override {
    TaskStatus* task = Find(id);
    if (task == nullptr) return TaskNotFound(id);
    if (change_error.has_value()) return *change_error;
    if (task->state == TaskState::kPaused) return TaskHasPaused(id);
    task->state = TaskState::kPaused;
    return OkStatus();
  }
  Status Resume(const std::string& id, bool accept_source) override {
    accepted_source = accept_source;
    TaskStatus* task = Find(id);
    if (task == nullptr) return TaskNotFound(id);
    if (change_error.has_value()) return *change_error;
    if (task->state == TaskState::kRunning) return TaskHasRunning(id);
    task->state = TaskState::kRunning;
    return OkStatus();
  }
  Status Delete(const std::string& id) override {
    if (Find(id) == nullptr) return TaskNotFound(id);
    if (change_error.has_value()) return *change_error;
    std::erase_if(tasks, [&](const TaskStatus& t) { return t.id == id; });
    return OkStatus();
  }
  void Stop() override {}

  TaskStatus* Find(const std::string& id) {
    const auto it = std::find_if(tasks.begin(), tasks.end(),
                                 [&](const TaskStatus& task) { return task.id == id; });
    return it == tasks.end() ? nullptr : &*it;
  }

  std::vector<TaskStatus> tasks;
  size_t max_tasks = 1000;
  bool accepted_source = false;
  int64_t rewound_to = 0;
  TaskProgress progress;
  std::vector<Finding> findings;
  std::optional<Error> create_error;  // of Create and Plan
  std::optional<Error> list_error;
  std::optional<Error> change_error;  // of what changes a task that is there
};

}  // namespace cdc
