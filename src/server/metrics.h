// Metrics: the text of GET /metrics. Safe from any thread; Render takes time with the number of
// tasks and their channels only.
//
// docs/operations/monitoring.md lists every metric with its labels, and a test holds the two
// together. Task series are made from a snapshot at each scrape, so they end with their task.
// Counters start at 0 with the process.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/task_status.h"

namespace cdc {

class Metrics {
 public:
  explicit Metrics(const std::string& version = "unknown");
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Both texts must come from fixed sets: every new value is a new series.
  void CountRequest(const std::string& type, const std::string& status);
  void ObserveLatency(const std::string& type, double milliseconds);
  // One answer of /cdc or /api/v1. `route`: the pattern of its path, empty for no such path.
  void CountHttp(const std::string& route, const std::string& method, int status, double seconds);

  // Prometheus text format 0.0.4.
  std::string Render(const std::vector<TaskStatus>& tasks);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cdc
