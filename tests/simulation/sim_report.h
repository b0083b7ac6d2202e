// Report: what a simulation found wrong, and its trace. One per run, shared by all its parts.
#pragma once

#include <cstdio>
#include <string>

#include "base/format.h"
#include "sim_executor.h"

namespace cdc::sim {

class Report {
 public:
  Report(const SimExecutor* executor, bool trace) : executor_(executor), trace_(trace) {}

  // The first violation ends the run.
  template <typename... Args>
  void Violation(std::string_view format, const Args&... args) {
    if (!failure_.empty()) return;
    failure_ = Format("at {} ms: ", Millis()) + Format(format, args...);
    Trace("VIOLATION {}", failure_);
  }
  template <typename... Args>
  void Trace(std::string_view format, const Args&... args) {
    if (trace_) std::fprintf(stderr, "%8ld %s\n", Millis(), Format(format, args...).c_str());
  }
  bool tracing() const { return trace_; }
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }
  long Millis() const { return static_cast<long>(executor_->WallMillis() - 1'700'001'000'000); }

 private:
  const SimExecutor* executor_;
  const bool trace_;
  std::string failure_;
};

}  // namespace cdc::sim
