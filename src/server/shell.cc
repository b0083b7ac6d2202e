#include "server/shell.h"

#include <sys/resource.h>

#include <chrono>

#include "base/log.h"
#include "server/access.h"
#include "server/api.h"
#include "server/metrics.h"
#include "server/open_store.h"
#include "server/stop_signal.h"

namespace cdc {
namespace {

constexpr std::chrono::milliseconds kStopLimit{4800};

Status Serve(const ServerConfig& config, const TaskServiceFactory& make_tasks, StopSignal* stop) {
  CDC_RETURN_IF_ERROR(CheckSupported(config));
  CDC_ASSIGN_OR_RETURN(std::unique_ptr<Store> store,
                       OpenStore(config.meta_store, ProcessEnvironment()));
  CDC_ASSIGN_OR_RETURN(std::unique_ptr<TaskService> tasks, make_tasks(config, store.get()));
  Metrics metrics(CDC_VERSION);
  ApiOptions options;
  options.v1.limits.max_name_length = config.max_name_length;
  options.v1.limits.replicate_channel = config.source.replicate_channel;
  options.v1.max_task_num = config.max_task_num;
  options.v1.log = config.source.log;
  options.v1.version = CDC_VERSION;
  options.http_status = config.http_status;
  Api api(options, tasks.get(), &metrics);
  Result<std::unique_ptr<HttpServer>> http =
      StartListener(config, [&api](const HttpRequest& request) { return api.Handle(request); });
  if (!http.ok()) {
    tasks->Stop();
    return http.error();
  }
  const int signal = stop->Wait();
  LogInfo("signal {}: stopping", signal);
  tasks->Stop();  // first: requests that wait for it come back
  (*http)->Stop();
  return OkStatus();
}

// Reading RocksMQ keeps one file open per table of its store: the soft limit of 1,024 is too low.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) LogWarn("cannot raise the limit of open files");
}

}  // namespace

int RunShell(const ServerConfig& config, const TaskServiceFactory& make_tasks) {
  RaiseFileLimit();
  StopSignal stop(kStopLimit);
  const Status status = Serve(config, make_tasks, &stop);
  if (!status.ok()) {
    LogError("cannot start: {}", status.error().message);
    return 1;
  }
  LogInfo("stopped");
  return 0;
}

}  // namespace cdc
