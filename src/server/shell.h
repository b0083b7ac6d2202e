// The process around the tasks: store, HTTP, signals, and the order in which they begin and end.
#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "server/config.h"
#include "server/task_service.h"
#include "store/store.h"

namespace cdc {

// Makes the task manager and lets it take up the stored tasks. Config and store outlive what it
// returns. It should not wait for sources or targets: a task whose source is away shows a warning.
// An error ends the process.
using TaskServiceFactory =
    std::function<Result<std::unique_ptr<TaskService>>(const ServerConfig& config, Store* store)>;

// Runs until SIGTERM or SIGINT; returns the exit code: 0 after a clean stop, 1 when it could not
// start (the reason is logged). Logging must have been started, and no other thread may exist.
// Stopping: TaskService::Stop, then HTTP, then the service and the store are destroyed; after 5 s
// the process ends in any case.
int RunShell(const ServerConfig& config, const TaskServiceFactory& make_tasks);

}  // namespace cdc
