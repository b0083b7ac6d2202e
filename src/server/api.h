// Api: all that the HTTP server answers, over a TaskService.
//
//   /api/v1/...             see server/v1_api.h
//   POST /cdc               the requests of server/request.h: the interface of the existing
//                           Milvus-CDC; HTTP 200 always, the code is in the body
//   GET  /healthz           200 while the server can list its tasks, else 503
//   GET  /metrics, /cdc/metrics   Prometheus text
//
// Safe from several threads at once; blocks as long as the TaskService does. No answer and no log
// line of it holds a secret.
#pragma once

#include <string>

#include "server/http_server.h"
#include "server/metrics.h"
#include "server/request.h"
#include "server/router.h"
#include "server/task_service.h"
#include "server/v1_api.h"

namespace cdc {

struct ApiOptions {
  V1Options v1;
  bool http_status = false;  // POST /cdc answers with the HTTP status that the body deserves
};

class Api {
 public:
  // All outlive this.
  Api(ApiOptions options, TaskService* tasks, Metrics* metrics);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  HttpResponse Handle(const HttpRequest& http);

 private:
  HttpResponse Route(const HttpRequest& http, const Router::Match& match);
  HttpResponse HandleCdc(const HttpRequest& http);
  HttpResponse HandleHealth();
  HttpResponse HandleMetrics();
  // The body of a successful answer, or what went wrong.
  Result<std::string> Run(const CdcRequest& request);
  Result<std::string> Position(const CdcRequest& request);

  const ApiOptions options_;
  TaskService* const tasks_;
  Metrics* const metrics_;
  V1Api v1_;
  Router router_;
};

}  // namespace cdc
