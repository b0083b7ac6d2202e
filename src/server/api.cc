#include "server/api.h"

#include <chrono>
#include <random>

#include "base/format.h"
#include "base/log.h"
#include "server/answer.h"
#include "server/config.h"
#include "server/nearest.h"

namespace cdc {
namespace {

// 32 hexadecimal digits.
std::string NewTaskId() {
  static const char kDigits[] = "0123456789abcdef";
  std::random_device random;
  std::string id;
  while (id.size() < 32) {
    const unsigned bits = random();
    for (int shift = 0; shift < 32; shift += 4) id += kDigits[(bits >> shift) & 15];
  }
  return id;
}

HttpResponse Json(std::string body, int status = 200) {
  return {status, "application/json", std::move(body)};
}

// A task that is not there has a fixed wording.
Error WithNotFound(const Error& error, const std::string& task) {
  return error.kind == ErrorKind::kNotFound ? TaskNotFound(task) : error;
}

Result<std::string> AnswerOf(const Status& status, const std::string& task) {
  if (!status.ok()) return WithNotFound(status.error(), task);
  return OkAnswer();
}

}  // namespace

HttpResponse Api::Handle(const HttpRequest& http) {
  const bool get = http.method == "GET" || http.method == "HEAD";
  if (http.path == "/cdc") return HandleCdc(http);
  if (http.path == "/healthz" || http.path == "/metrics" || http.path == "/cdc/metrics") {
    if (!get) return Json(ErrorAnswer(405, "only support the GET method"), 405);
    return http.path == "/healthz" ? HandleHealth() : HandleMetrics();
  }
  return Json(ErrorAnswer(404, "no such path; use POST /cdc, GET /healthz or GET /metrics"), 404);
}

HttpResponse Api::HandleHealth() {
  Result<std::vector<TaskStatus>> tasks = tasks_->List();
  if (!tasks.ok()) return Json(ErrorAnswer(503, tasks.error().message), 503);
  return Json(HealthAnswer(*tasks));
}

HttpResponse Api::HandleMetrics() {
  Result<std::vector<TaskStatus>> tasks = tasks_->List();
  if (!tasks.ok()) return Json(ErrorAnswer(503, tasks.error().message), 503);
  return {200, "text/plain; version=0.0.4; charset=utf-8", metrics_->Render(*tasks)};
}

HttpResponse Api::HandleCdc(const HttpRequest& http) {
  const auto begin = std::chrono::steady_clock::now();
  const auto fail = [&](const RequestFailure& failure) {
    metrics_->CountRequest(failure.type, "total");
    metrics_->CountRequest(failure.type, failure.status);
    LogWarn("request refused, code {}: {}", failure.code, failure.message);
    return Json(ErrorAnswer(failure.code, failure.message));
  };
  if (http.method != "POST") {
    return fail({405, "only support the POST method", "unknown", "invalid_method"});
  }
  std::variant<CdcRequest, RequestFailure> parsed = ParseRequest(http.body, options_.limits);
  if (const auto* failure = std::get_if<RequestFailure>(&parsed)) return fail(*failure);
  const CdcRequest& request = std::get<CdcRequest>(parsed);
  Result<std::string> answer = Run(request);
  if (!answer.ok()) return fail(HandlingFailure(request.type, answer.error()));
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  metrics_->CountRequest(ToString(request.type), "total");
  metrics_->CountRequest(ToString(request.type), "success");
  metrics_->ObserveLatency(ToString(request.type), took.count());
  return Json(*std::move(answer));
}

Result<std::string> Api::Run(const CdcRequest& request) {
  const std::string& task = request.task_id;
  switch (request.type) {
    case RequestType::kCreate:
      return Create(request.create);
    case RequestType::kDelete: {
      const Status status = tasks_->Delete(task);
      const bool gone = !status.ok() && status.error().kind == ErrorKind::kNotFound;
      if (gone && request.ignore_not_found) return OkAnswer();
      return AnswerOf(status, task);
    }
    case RequestType::kPause:
      return AnswerOf(tasks_->Pause(task), task);
    case RequestType::kResume:
      return AnswerOf(tasks_->Resume(task, request.accept_source), task);
    case RequestType::kGet: {
      Result<TaskStatus> status = tasks_->Get(task);
      if (status.ok()) return TaskAnswer(*status);
      if (status.error().kind != ErrorKind::kNotFound) return status.error();
      return FatalError("not found: [" + task + "]", ErrorKind::kNotFound);
    }
    case RequestType::kList: {
      CDC_ASSIGN_OR_RETURN(const std::vector<TaskStatus> tasks, tasks_->List());
      return TaskListAnswer(tasks);
    }
    case RequestType::kPosition:
      return Position(request);
    case RequestType::kMaintenance:
      return MaintenanceAnswer(Maintain(request));
  }
  return InvalidError("unknown request");
}

// Of one task, or of all.
Result<std::string> Api::Position(const CdcRequest& request) {
  if (request.rewind_to_ms != 0) {
    const Status status = tasks_->Rewind(request.task_id, request.rewind_to_ms);
    if (!status.ok()) return WithNotFound(status.error(), request.task_id);
  }
  std::vector<TaskProgress> all;
  CDC_ASSIGN_OR_RETURN(const std::vector<TaskStatus> tasks, tasks_->List());
  for (const TaskStatus& task : tasks) {
    if (!request.task_id.empty() && task.id != request.task_id) continue;
    CDC_ASSIGN_OR_RETURN(TaskProgress progress, tasks_->Progress(task.id));
    all.push_back(std::move(progress));
  }
  return PositionAnswer(all, options_.limits.replicate_channel, options_.log);
}

Result<std::string> Api::Create(TaskSpec spec) {
  CDC_ASSIGN_OR_RETURN(const std::vector<TaskStatus> tasks, tasks_->List());
  for (const TaskStatus& task : tasks) {
    if (!spec.id.empty() && task.id == spec.id) return CreatedAnswer(spec.id);
  }
  if (tasks.size() >= static_cast<size_t>(options_.max_task_num)) {
    return FatalError(Format("the task num has reach the limit, {}", options_.max_task_num));
  }
  if (spec.id.empty()) spec.id = NewTaskId();
  CDC_ASSIGN_OR_RETURN(const std::string id, tasks_->Create(std::move(spec)));
  return CreatedAnswer(id);
}

// Never an error: what is wrong is told in the text.
std::string Api::Maintain(const CdcRequest& request) {
  if (request.operation != "set_log_level") return "unsupported operation: " + request.operation;
  if (request.log_level.empty()) return "log_level is required";
  Result<LogLevel> level = ParseLogLevel(request.log_level);
  if (!level.ok()) return "parse log level failed: " + level.error().message;
  SetLogLevel(*level);
  return "set log level to " + LowerCase(request.log_level);
}

}  // namespace cdc
