#include "store/store_tables.h"

#include "base/format.h"

namespace cdc {
namespace {

bool NamesTaskData(const ProgressWrite& write) {
  return !write.channels.empty() || write.operations.has_value() || !write.objects.empty() ||
         !write.forgotten_objects.empty() || !write.databases.empty() ||
         !write.forgotten_databases.empty() || write.source.has_value() || write.rbac.has_value();
}

}  // namespace

Error NoSuchTask(const std::string& task) {
  return FatalError(Format("the store has no task {}", task), ErrorKind::kNotFound);
}

Error TaskExistsAlready(const std::string& task) {
  return FatalError(Format("the store already has a task {}", task), ErrorKind::kAlreadyExists);
}

Result<TaskState> ParseTaskState(const std::string& text) {
  for (const TaskState state : {TaskState::kInitial, TaskState::kRunning, TaskState::kPaused}) {
    if (ToString(state) == text) return state;
  }
  return CorruptError("the store holds an unknown task state '" + text + "'");
}

Status CheckWrite(const ProgressWrite& write) {
  if (!write.lanes.empty() && write.target.empty()) {
    return InvalidError("a progress write with lanes must name their target");
  }
  if (write.task.empty() && NamesTaskData(write)) {
    return InvalidError("a progress write must name its task");
  }
  return OkStatus();
}

}  // namespace cdc
