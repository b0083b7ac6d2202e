// ManualExecutor: virtual time for the unit tests of this folder. Run(t) runs what is due within t.
#pragma once

#include <map>
#include <utility>

#include "base/executor.h"

namespace cdc {

class ManualExecutor final : public Executor, public Clock {
 public:
  void Post(Callback fn) override { queue_.emplace(now_, std::move(fn)); }
  void PostAfter(Duration delay, Callback fn) override {
    queue_.emplace(now_ + delay, std::move(fn));
  }
  const Clock& clock() const override { return *this; }
  TimePoint Now() const override { return now_; }
  int64_t WallMillis() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count();
  }

  void Run(Duration time = Duration(0)) {
    const TimePoint end = now_ + time;
    while (!queue_.empty() && queue_.begin()->first <= end) {
      auto node = queue_.extract(queue_.begin());
      now_ = node.key();
      node.mapped()();
    }
    now_ = end;
  }

 private:
  TimePoint now_{std::chrono::seconds(100)};
  std::multimap<TimePoint, Callback> queue_;  // equal times keep their order
};

}  // namespace cdc
