#include "server/app.h"

#include <memory>
#include <utility>

#include "server/shell.h"
#include "server/source_runtime.h"
#include "server/task_manager.h"

namespace cdc {
namespace {

// The task manager together with the source that it reads from.
class Tasks final : public TaskService {
 public:
  Tasks(const ServerConfig& config, std::unique_ptr<SourceRuntime> source, Store* store)
      : source_(std::move(source)), manager_(config, source_.get(), store) {}

  Status StartStored() { return manager_.StartStored(); }

  Result<CreatedTask> Create(TaskSpec spec) override { return manager_.Create(std::move(spec)); }
  Result<TaskPlan> Plan(TaskSpec spec) override { return manager_.Plan(std::move(spec)); }
  std::vector<Finding> Preflight(const TaskSpec* spec) override { return manager_.Preflight(spec); }
  Result<std::vector<TaskStatus>> List(TaskDetail detail) override { return manager_.List(detail); }
  Result<TaskStatus> Get(const std::string& task) override { return manager_.Get(task); }
  Status Pause(const std::string& task) override { return manager_.Pause(task); }
  Status Resume(const std::string& task, bool accept_source) override {
    return manager_.Resume(task, accept_source);
  }
  Status Rewind(const std::string& task, int64_t to_ms) override {
    return manager_.Rewind(task, to_ms);
  }
  Result<TaskProgress> Progress(const std::string& task) override {
    return manager_.Progress(task);
  }
  Status Delete(const std::string& task) override { return manager_.Delete(task); }
  void Stop() override { manager_.Stop(); }

 private:
  const std::unique_ptr<SourceRuntime> source_;
  TaskManager manager_;
};

}  // namespace

int RunServer(const ServerConfig& config) {
  return RunShell(
      config,
      [](const ServerConfig& checked, Store* store) -> Result<std::unique_ptr<TaskService>> {
        CDC_ASSIGN_OR_RETURN(auto source, SourceRuntime::Open(checked.source));
        auto tasks = std::make_unique<Tasks>(checked, std::move(source), store);
        CDC_RETURN_IF_ERROR(tasks->StartStored());
        return std::unique_ptr<TaskService>(std::move(tasks));
      });
}

}  // namespace cdc
