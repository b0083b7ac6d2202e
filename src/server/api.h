// Api: the routes of the HTTP server, over a TaskService.
//
//   POST /cdc                    the requests of server/request.h; HTTP 200 always, code in the
//   body GET  /healthz                200 while the server can list its tasks, else 503 GET
//   /metrics, /cdc/metrics  Prometheus text
//
// Safe from several threads at once; blocks as long as the TaskService does. No answer and no log
// line of it holds a secret.
#pragma once

#include <string>

#include "server/config.h"
#include "server/http_server.h"
#include "server/metrics.h"
#include "server/request.h"
#include "server/task_service.h"

namespace cdc {

struct ApiOptions {
  RequestLimits limits;
  int max_task_num = 100;
  LogKind log = LogKind::kRocksmq;
};

class Api {
 public:
  // All outlive this.
  Api(ApiOptions options, TaskService* tasks, Metrics* metrics)
      : options_(std::move(options)), tasks_(tasks), metrics_(metrics) {}

  HttpResponse Handle(const HttpRequest& http);

 private:
  HttpResponse HandleCdc(const HttpRequest& http);
  HttpResponse HandleHealth();
  HttpResponse HandleMetrics();
  // The body of a successful answer, or what went wrong.
  Result<std::string> Run(const CdcRequest& request);
  Result<std::string> Create(TaskSpec spec);
  Result<std::string> Position(const CdcRequest& request);
  std::string Maintain(const CdcRequest& request);

  const ApiOptions options_;
  TaskService* const tasks_;
  Metrics* const metrics_;
};

}  // namespace cdc
