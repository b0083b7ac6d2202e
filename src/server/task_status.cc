#include "server/task_status.h"

namespace cdc {

const char* ToString(Health health) {
  switch (health) {
    case Health::kOk:
      return "ok";
    case Health::kWarning:
      return "warning";
    case Health::kFailed:
      return "failed";
  }
  return "?";
}

const char* ToString(RunState state) {
  switch (state) {
    case RunState::kRunning:
      return "running";
    case RunState::kWarning:
      return "warning";
    case RunState::kPaused:
      return "paused";
    case RunState::kFailed:
      return "failed";
  }
  return "?";
}

RunState RunStateOf(const TaskStatus& task) {
  if (task.health == Health::kFailed) return RunState::kFailed;
  if (task.state != TaskState::kRunning) return RunState::kPaused;
  return task.health == Health::kWarning ? RunState::kWarning : RunState::kRunning;
}

std::string UriOf(const TargetAddress& address) {
  return (address.tls ? "https://" : "http://") + address.host_and_port();
}

}  // namespace cdc
