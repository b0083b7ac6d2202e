// Clock: the only source of time. Passed in, so that a simulation can own it.
#pragma once

#include <chrono>
#include <cstdint>

namespace cdc {

using Duration = std::chrono::nanoseconds;
// A point on a monotone clock with an arbitrary origin; only differences mean something.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;       // monotone
  virtual int64_t WallMillis() const = 0;  // unix time in ms; may jump
};

// The real clock. Safe from any thread.
class SystemClock final : public Clock {
 public:
  TimePoint Now() const override { return std::chrono::steady_clock::now(); }
  int64_t WallMillis() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace cdc
