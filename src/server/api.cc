#include "server/api.h"

#include <chrono>

#include "base/log.h"
#include "server/answer.h"
#include "server/maintenance.h"
#include "server/problem.h"

namespace cdc {
namespace {

HttpResponse Json(std::string body, int status = 200) {
  return {status, "application/json", std::move(body)};
}

bool IsV1(const HttpRequest& http) {
  return http.path.starts_with("/api/");
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

Api::Api(ApiOptions options, TaskService* tasks, Metrics* metrics)
    : options_(std::move(options)), tasks_(tasks), metrics_(metrics), v1_(options_.v1, tasks) {
  using Http = const HttpRequest&;
  using Id = const std::string&;
  router_.Add("*", "/cdc", [this](Http http, Id) { return HandleCdc(http); });
  router_.Add("GET", "/healthz", [this](Http, Id) { return HandleHealth(); });
  for (const char* path : {"/metrics", "/cdc/metrics"}) {
    router_.Add("GET", path, [this](Http, Id) { return HandleMetrics(); });
  }
  v1_.AddRoutes(&router_);
}

HttpResponse Api::Handle(const HttpRequest& http) {
  const auto begin = std::chrono::steady_clock::now();
  const Router::Match match = router_.Find(http.method, http.path);
  HttpResponse response = Route(http, match);
  if (match.pattern == "/cdc" || IsV1(http)) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    metrics_->CountHttp(match.pattern, http.method, response.status, took.count());
  }
  return response;
}

HttpResponse Api::Route(const HttpRequest& http, const Router::Match& match) {
  const bool v1 = IsV1(http);
  if (match.handler != nullptr) {
    HttpResponse response = (*match.handler)(http, match.id);
    if (v1 && response.status >= 400) {
      LogWarn("{} {} refused: {}", http.method, match.pattern, response.body);
    }
    return response;
  }
  if (match.pattern.empty()) {
    if (v1) return Problem(404, "not_found", "no such path; GET /api/v1/openapi.json lists them");
    return Json(
        ErrorAnswer(404,
                    "no such path; use POST /cdc, /api/v1/tasks, GET /healthz or GET /metrics"),
        404);
  }
  std::string allowed;
  for (const std::string& method : match.allowed) {
    allowed += (allowed.empty() ? "" : ", ") + method;
  }
  HttpResponse response =
      v1 ? Problem(405, "method_not_allowed", "this path supports " + allowed + " only")
         : Json(ErrorAnswer(405, "only support the GET method"), 405);
  response.headers.emplace_back("Allow", allowed);
  return response;
}

HttpResponse Api::HandleHealth() {
  Result<std::vector<TaskStatus>> tasks = tasks_->List(TaskDetail::kSummary);
  if (!tasks.ok()) return Json(ErrorAnswer(503, tasks.error().message), 503);
  return Json(HealthAnswer(*tasks));
}

HttpResponse Api::HandleMetrics() {
  Result<std::vector<TaskStatus>> tasks = tasks_->List(TaskDetail::kSummary);
  if (!tasks.ok()) return Json(ErrorAnswer(503, tasks.error().message), 503);
  return {200, "text/plain; version=0.0.4; charset=utf-8", metrics_->Render(*tasks)};
}

HttpResponse Api::HandleCdc(const HttpRequest& http) {
  const auto begin = std::chrono::steady_clock::now();
  const auto fail = [&](const RequestFailure& failure) {
    metrics_->CountRequest(failure.type, "total");
    metrics_->CountRequest(failure.type, failure.status);
    LogWarn("request refused, code {}: {}", failure.code, failure.message);
    const int status = failure.http_status != 0 ? failure.http_status : failure.code;
    return Json(ErrorAnswer(failure.code, failure.message), options_.http_status ? status : 200);
  };
  if (http.method != "POST") {
    return fail({405, "only support the POST method", "unknown", "invalid_method"});
  }
  // It takes any content type, as scripts send, so that a browser would not ask first.
  if (http.from_another_site) {
    return fail({403, "requests of web pages from elsewhere are refused", "unknown", "fail"});
  }
  std::variant<CdcRequest, RequestFailure> parsed = ParseRequest(http.body, options_.v1.limits);
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
    case RequestType::kCreate: {
      CDC_ASSIGN_OR_RETURN(const CreatedTask created, tasks_->Create(request.create));
      return CreatedAnswer(created.id);
    }
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
      CDC_ASSIGN_OR_RETURN(const std::vector<TaskStatus> tasks, tasks_->List(TaskDetail::kFull));
      return TaskListAnswer(tasks);
    }
    case RequestType::kPosition:
      return Position(request);
    case RequestType::kMaintenance:
      return MaintenanceAnswer(Maintain(request.operation, request.params));
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
  CDC_ASSIGN_OR_RETURN(const std::vector<TaskStatus> tasks, tasks_->List(TaskDetail::kSummary));
  for (const TaskStatus& task : tasks) {
    if (!request.task_id.empty() && task.id != request.task_id) continue;
    Result<TaskProgress> progress = tasks_->Progress(task.id);
    if (progress.ok()) {
      all.push_back(*std::move(progress));
    } else if (progress.error().kind != ErrorKind::kNotFound) {  // not deleted meanwhile
      return progress.error();
    }
  }
  return PositionAnswer(all, options_.v1.limits.replicate_channel, options_.v1.log);
}

}  // namespace cdc
