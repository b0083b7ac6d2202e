// SimExecutor: an Executor and a Clock over virtual time. One thread, no waiting: time jumps to the
// next callback. The same calls give the same order. Now and WallMillis are the world's; clock() is
// what the process under test sees, whose wall clock may be set.
#pragma once

#include <cstdint>
#include <vector>

#include "base/executor.h"

namespace cdc::sim {

class SimExecutor final : public Executor, public Clock {
 public:
  void Post(Callback fn) override { Schedule(now_, std::move(fn)); }
  void PostAfter(Duration delay, Callback fn) override { Schedule(now_ + delay, std::move(fn)); }
  const Clock& clock() const override { return process_clock_; }

  TimePoint Now() const override { return now_; }
  int64_t WallMillis() const override;

  // Runs the next callback; false when there is none.
  bool RunOne();
  uint64_t events() const { return events_; }
  void SetWallClock(int64_t ahead_ms) { process_clock_.ahead_ms = ahead_ms; }

 private:
  struct Item {
    TimePoint at;
    uint64_t order = 0;
    Callback fn;
  };
  struct Later {
    bool operator()(const Item& a, const Item& b) const {
      return a.at != b.at ? a.at > b.at : a.order > b.order;
    }
  };
  struct ProcessClock final : Clock {
    explicit ProcessClock(const SimExecutor* world) : world(world) {}
    TimePoint Now() const override { return world->Now(); }
    int64_t WallMillis() const override { return world->WallMillis() + ahead_ms; }
    const SimExecutor* world;
    int64_t ahead_ms = 0;
  };
  void Schedule(TimePoint at, Callback fn);

  ProcessClock process_clock_{this};
  TimePoint now_{std::chrono::seconds(1000)};
  uint64_t order_ = 0;
  uint64_t events_ = 0;
  std::vector<Item> heap_;
};

}  // namespace cdc::sim
