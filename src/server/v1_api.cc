#include "server/v1_api.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "base/percent.h"
#include "server/json_fields.h"
#include "server/nearest.h"
#include "server/openapi.h"
#include "server/problem.h"
#include "server/url.h"
#include "server/v1_json.h"

namespace cdc {
namespace {

constexpr int kDefaultPage = 100;

HttpResponse Json(std::string body, int status = 200) {
  return {status, "application/json", std::move(body)};
}

// The query of a route that has these parameters.
Result<std::map<std::string, std::string>> ReadQuery(const std::string& query,
                                                     const std::vector<std::string>& known) {
  CDC_ASSIGN_OR_RETURN(auto parameters, ParseQuery(query));
  for (const auto& [name, value] : parameters) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return InvalidError(Format("unknown query parameter '{}'{}", name.substr(0, 100),
                               known.empty() ? "; none is known here" : DidYouMean(name, known)));
  }
  return parameters;
}

// One of these words, or nothing when the parameter is not there.
Result<std::optional<std::string>> ReadWord(const std::map<std::string, std::string>& query,
                                            const std::string& name,
                                            const std::vector<std::string>& words) {
  const auto it = query.find(name);
  if (it == query.end()) return std::optional<std::string>();
  if (std::find(words.begin(), words.end(), it->second) != words.end()) {
    return std::optional(it->second);
  }
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
  return InvalidError(Format("'{}' must be one of: {}", name, all));
}

Result<int> ReadLimit(const std::map<std::string, std::string>& query) {
  const auto it = query.find("limit");
  if (it == query.end()) return kDefaultPage;
  int limit = 0;
  const char* const end = it->second.data() + it->second.size();
  const auto [stop, failed] = std::from_chars(it->second.data(), end, limit);
  if (failed != std::errc() || stop != end || limit < 1 || limit > V1Api::kMaxPage) {
    return InvalidError(Format("'limit' must be a whole number from 1 to {}", V1Api::kMaxPage));
  }
  return limit;
}

bool IsJson(const std::string& content_type) {
  std::string type = LowerCase(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.pop_back();
  return type == "application/json";
}

// nullopt: the body can be read. A browser sends what a foreign page asks it to, but not as JSON
// without asking first: the type is no formality.
std::optional<HttpResponse> RefuseType(const HttpRequest& http) {
  if (http.body.empty() || IsJson(http.content_type)) return std::nullopt;
  return Problem(415, "unsupported_media_type",
                 "send the body with 'Content-Type: application/json'");
}

// Reads a body with `read(JsonFields*)`. An absent one is {} where `may_be_absent`.
template <typename Read>
std::optional<HttpResponse> ReadBody(const HttpRequest& http, bool may_be_absent, Read read) {
  if (auto refused = RefuseType(http)) return refused;
  if (http.body.empty() && !may_be_absent) {
    return ProblemOf(InvalidError("the body is missing"));
  }
  const Result<nlohmann::json> data = ParseJsonObject(http.body.empty() ? "{}" : http.body);
  if (!data.ok()) return ProblemOf(data.error());
  FieldErrors errors;
  JsonFields fields(*data, "", &errors);
  read(&fields);
  fields.Finish();
  if (!errors.wrong_type.empty()) return ProblemOf(InvalidError(errors.wrong_type));
  if (!errors.unknown_key.empty()) return ProblemOf(InvalidError(errors.unknown_key));
  return std::nullopt;
}

// Does the filter of a list let the task through?
bool IsInState(const TaskStatus& task, const std::string& state) {
  const RunState now = RunStateOf(task);
  return state == ToString(now) || (state == "running" && now == RunState::kWarning);
}

// While a task is made there is none that could be missing: what was not found is the source's or
// the target's.
Error OfPeer(Error error) {
  if (error.kind == ErrorKind::kNotFound) error.kind = ErrorKind::kUnavailable;
  return error;
}

LogLevel LevelNow() {
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn}) {
    if (LogEnabled(level)) return level;
  }
  return LogLevel::kError;
}

}  // namespace

void V1Api::AddRoutes(Router* router) {
  // `handle(http, id, query)`
  const auto add = [router](const char* method, const std::string& path,
                            std::vector<std::string> parameters, auto handle) {
    router->Add(method, "/api/v1" + path,
                [parameters = std::move(parameters), handle = std::move(handle)](
                    const HttpRequest& http, const std::string& id) {
                  const Result<Query> query = ReadQuery(http.query, parameters);
                  if (!query.ok()) return ProblemOf(query.error());
                  return handle(http, id, *query);
                });
  };
  using Http = const HttpRequest&;
  using Id = const std::string&;
  using Q = const Query&;
  add("GET", "/tasks", {"limit", "after", "state"}, [this](Http, Id, Q q) { return ListTasks(q); });
  add("POST", "/tasks", {"dry_run"}, [this](Http http, Id, Q q) { return CreateTask(http, q); });
  add("GET", "/tasks/{id}", {}, [this](Http, Id id, Q) { return GetTask(id); });
  add("DELETE", "/tasks/{id}", {}, [this](Http, Id id, Q) { return DeleteTask(id); });
  add("POST", "/tasks/{id}/pause", {}, [this](Http h, Id id, Q) { return PauseTask(h, id); });
  add("POST", "/tasks/{id}/resume", {}, [this](Http h, Id id, Q) { return ResumeTask(h, id); });
  add("POST", "/tasks/{id}/rewind", {}, [this](Http h, Id id, Q) { return RewindTask(h, id); });
  add("GET", "/tasks/{id}/positions", {}, [this](Http, Id id, Q) { return GetPositions(id); });
  add("POST", "/preflight", {}, [this](Http http, Id, Q) { return RunPreflight(http); });
  add("GET", "/server", {}, [this](Http, Id, Q) { return GetServer(); });
  add("PUT", "/server/log-level", {}, [this](Http http, Id, Q) { return SetLogLevelTo(http); });
  add("GET", "/openapi.json", {}, [](Http, Id, Q) { return Json(std::string(OpenapiJson())); });
}

HttpResponse V1Api::ListTasks(const Query& query) {
  const Result<int> limit = ReadLimit(query);
  if (!limit.ok()) return ProblemOf(limit.error());
  const auto state = ReadWord(query, "state", {"running", "warning", "paused", "failed"});
  if (!state.ok()) return ProblemOf(state.error());
  Result<std::vector<TaskStatus>> all = tasks_->List(TaskDetail::kSummary);
  if (!all.ok()) return ProblemOf(all.error());

  auto begin = all->begin();
  if (const auto after = query.find("after"); after != query.end()) {
    begin = std::find_if(all->begin(), all->end(),
                         [&](const TaskStatus& task) { return task.id == after->second; });
    if (begin == all->end()) {
      return ProblemOf(FatalError("'after' names a task that is not there: list from the beginning",
                                  ErrorKind::kNotFound));
    }
    ++begin;
  }
  std::vector<TaskStatus> page;
  std::optional<std::string> next;
  for (; begin != all->end(); ++begin) {
    if (*state && !IsInState(*begin, **state)) continue;
    if (page.size() == static_cast<size_t>(*limit)) {
      next = page.back().id;
      break;
    }
    page.push_back(std::move(*begin));
  }
  return Json(V1TaskPage(page, next));
}

HttpResponse V1Api::CreateTask(const HttpRequest& http, const Query& query) {
  const auto dry_run = ReadWord(query, "dry_run", {"true", "false"});
  if (!dry_run.ok()) return ProblemOf(dry_run.error());
  if (auto refused = RefuseType(http)) return *std::move(refused);
  if (http.body.empty()) return ProblemOf(InvalidError("the body is missing"));
  Result<TaskSpec> spec = ParseTaskRequest(http.body, options_.limits);
  if (!spec.ok()) return ProblemOf(spec.error());
  if (*dry_run == "true") {
    const Result<TaskPlan> plan = tasks_->Plan(*std::move(spec));
    return plan.ok() ? Json(V1DryRun(*plan)) : ProblemOf(OfPeer(plan.error()));
  }
  const Result<CreatedTask> created = tasks_->Create(*std::move(spec));
  if (!created.ok()) return ProblemOf(OfPeer(created.error()));
  const Result<TaskStatus> task = tasks_->Get(created->id);
  if (!task.ok()) {
    return ProblemOf(FatalError("the task was deleted while it was created", ErrorKind::kConflict));
  }
  HttpResponse response = Json(V1Task(*task), created->existed ? 200 : 201);
  if (!created->existed) {
    response.headers.emplace_back("Location", "/api/v1/tasks/" + PercentEncode(created->id));
  }
  return response;
}

HttpResponse V1Api::GetTask(const std::string& id) {
  const Result<TaskStatus> task = tasks_->Get(id);
  return task.ok() ? Json(V1Task(*task)) : ProblemOf(task.error());
}

HttpResponse V1Api::TaskAfter(const Status& done, const std::string& id) {
  return done.ok() ? GetTask(id) : ProblemOf(done.error());
}

HttpResponse V1Api::DeleteTask(const std::string& id) {
  const Status status = tasks_->Delete(id);
  if (!status.ok()) return ProblemOf(status.error());
  return Json("", 204);
}

HttpResponse V1Api::PauseTask(const HttpRequest& http, const std::string& id) {
  if (auto refused = ReadBody(http, true, [](JsonFields*) {})) return *std::move(refused);
  return TaskAfter(tasks_->Pause(id), id);
}

HttpResponse V1Api::ResumeTask(const HttpRequest& http, const std::string& id) {
  bool accept_source = false;
  auto refused = ReadBody(
      http, true, [&](JsonFields* fields) { fields->Flag("accept_source", &accept_source); });
  if (refused) return *std::move(refused);
  return TaskAfter(tasks_->Resume(id, accept_source), id);
}

HttpResponse V1Api::RewindTask(const HttpRequest& http, const std::string& id) {
  int64_t to_ms = 0;
  auto refused =
      ReadBody(http, false, [&](JsonFields* fields) { fields->Number("to_ms", &to_ms); });
  if (refused) return *std::move(refused);
  if (to_ms < 1) {
    return ProblemOf(InvalidError("'to_ms' must be given: Unix time in milliseconds, above 0"));
  }
  return TaskAfter(tasks_->Rewind(id, to_ms), id);
}

HttpResponse V1Api::GetPositions(const std::string& id) {
  const Result<TaskProgress> progress = tasks_->Progress(id);
  if (!progress.ok()) return ProblemOf(progress.error());
  return Json(V1Positions(*progress, options_.limits.replicate_channel, options_.log));
}

HttpResponse V1Api::RunPreflight(const HttpRequest& http) {
  if (auto refused = RefuseType(http)) return *std::move(refused);
  if (http.body.empty()) return Json(V1Findings(tasks_->Preflight(nullptr)));
  const Result<TaskSpec> spec = ParseTaskRequest(http.body, options_.limits);
  if (!spec.ok()) return ProblemOf(spec.error());
  return Json(V1Findings(tasks_->Preflight(&*spec)));
}

HttpResponse V1Api::GetServer() {
  return Json(
      V1Server({options_.version, options_.log, options_.limits.replicate_channel,
                options_.max_task_num, options_.limits.max_name_length, kMaxPage, LevelNow()}));
}

HttpResponse V1Api::SetLogLevelTo(const HttpRequest& http) {
  std::string name;
  auto refused = ReadBody(http, false, [&](JsonFields* fields) { fields->Text("level", &name); });
  if (refused) return *std::move(refused);
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    if (name != ToString(level)) continue;
    SetLogLevel(level);
    return Json(V1LogLevel(level));
  }
  return ProblemOf(InvalidError("'level' must be one of: debug, info, warn, error"));
}

}  // namespace cdc
