// Backoff: exponential waiting times between retries, reset by progress. Plain value, not shared.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace cdc {

class Backoff {
 public:
  Backoff(Duration initial, Duration max) : initial_(initial), max_(max), next_(initial) {}

  // The time to wait before the coming attempt; doubles with each call up to the maximum.
  Duration Next() {
    const Duration wait = next_;
    next_ = std::min(next_ * 2, max_);
    ++attempts_;
    return wait;
  }
  void Reset() {
    next_ = initial_;
    attempts_ = 0;
  }
  int attempts() const { return attempts_; }

 private:
  Duration initial_;
  Duration max_;
  Duration next_;
  int attempts_ = 0;
};

}  // namespace cdc
