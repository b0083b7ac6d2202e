// Metrics: the text of GET /metrics. Safe from any thread; Render takes time with the number of
// tasks only.
//
// Task series are made from a snapshot at each scrape, so they end with their task. Names of the
// existing Milvus-CDC are kept where their meaning can be:
//   milvus_cdc_task_num{task_state}                          gauge    tasks per state
//   milvus_cdc_task_state{task_id}                           gauge    0 Initial, 1 Running, 2
//   Paused;
//                                                                     gone once deleted (was -1)
//   milvus_cdc_request_total{request_type,request_status}    counter  total, success, fail,
//                                                                     invalid_method,
//                                                                     unmarshal_error
//   milvus_cdc_request_latency{request_type}                 histogram  ms, successful requests
//   milvus_cdc_replicate_data_cnt{task_id,op_type="write",api_type=insert|delete}  counter  rows
//   that
//                                       the target acknowledged (no collection labels: too many
//                                       series)
//   milvus_cdc_replicate_data_size{task_id,op_type="write"}  counter  bytes of them
//   milvus_cdc_api_execute_total{task_id,api_type}           counter  calls to the target
//   milvus_cdc_replicate_tt{task_id,op_type="write"}         gauge    safe time, ms (one per task)
// Ours:
//   milvus_cdc_task_lag_seconds{task_id}                     gauge    now - oldest change not yet
//                                                                     acknowledged; 0 when idle
//   milvus_cdc_task_safe_time_seconds{task_id}               gauge    unix time up to which the
//   target
//                                                                     is complete
//   milvus_cdc_task_health{task_id}                          gauge    0 ok, 1 warning, 2 failed
//   milvus_cdc_task_retries_total{task_id}                   counter  calls made again
//   milvus_cdc_log_headroom_seconds{task_id}                 gauge    see retention_watch.h
//   milvus_cdc_log_headroom_bytes{task_id}                   gauge
// Not kept: milvus_cdc_center_tt (per target channel). Counters start at 0 with the process.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/task_status.h"

namespace cdc {

class Metrics {
 public:
  Metrics();
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
