// V1Api: /api/v1, the REST API over a TaskService; openapi.json describes it.
//
// Safe from several threads at once; blocks as long as the TaskService does. No answer and no log
// line of it holds a secret. Errors are problem details (server/problem.h).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "server/config.h"
#include "server/http_server.h"
#include "server/request.h"
#include "server/router.h"
#include "server/task_service.h"

namespace cdc {

struct V1Options {
  RequestLimits limits;
  int max_task_num = 100;
  LogKind log = LogKind::kRocksmq;
  std::string version;
};

class V1Api {
 public:
  static constexpr int kMaxPage = 1000;

  // `tasks` outlives this.
  V1Api(V1Options options, TaskService* tasks) : options_(std::move(options)), tasks_(tasks) {}

  // This outlives the router.
  void AddRoutes(Router* router);

 private:
  using Query = std::map<std::string, std::string>;

  HttpResponse ListTasks(const Query& query);
  HttpResponse CreateTask(const HttpRequest& http, const Query& query);
  HttpResponse GetTask(const std::string& id);
  HttpResponse DeleteTask(const std::string& id);
  HttpResponse PauseTask(const HttpRequest& http, const std::string& id);
  HttpResponse ResumeTask(const HttpRequest& http, const std::string& id);
  HttpResponse RewindTask(const HttpRequest& http, const std::string& id);
  HttpResponse GetPositions(const std::string& id);
  HttpResponse RunPreflight(const HttpRequest& http);
  HttpResponse GetServer();
  HttpResponse SetLogLevelTo(const HttpRequest& http);
  // The task as it is after `done`, or what went wrong.
  HttpResponse TaskAfter(const Status& done, const std::string& id);

  const V1Options options_;
  TaskService* const tasks_;
};

}  // namespace cdc
