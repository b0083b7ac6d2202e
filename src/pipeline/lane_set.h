// LaneSet: the lanes of one target, shared by all tasks that write to it, and their durable clock.
//
// A fence is written ahead of need (Options::fence_ahead), for all lanes at once, so that a lane
// rarely waits for the disk. Lives on the target's executor; owned by the server per target.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pipeline/lane.h"

namespace cdc {

class LaneSet {
 public:
  struct Options {
    Lane::Options lane;
    uint64_t fence_ahead = ComposeTimestamp(1000);
    Duration timer_interval = std::chrono::milliseconds(50);
  };

  // `fences`: as left in the store by an earlier run.
  LaneSet(std::string target, Options options, std::map<std::string, Timestamp> fences,
          Executor* executor, DataSink* sink, ProgressStore* store);
  LaneSet(const LaneSet&) = delete;
  LaneSet& operator=(const LaneSet&) = delete;

  // The lane of that name, made on first use. Lives as long as the set unless Release frees it.
  Lane* Get(const std::string& name);
  Lane* Find(const std::string& name);
  // Frees a lane without edges, and what the sink keeps for it: at once, or when its call has
  // ended.
  void Release(const std::string& name);
  // The end of a clean stop: closes the lanes and sets every fence to what was really sent, so that
  // the next life re-stamps nothing.
  void WriteExactFences(std::function<void()> done);

  bool merging() const { return options_.lane.merge; }
  // Reading the target with this guarantee timestamp shows everything acknowledged so far, by an
  // earlier life too: the highest tick that a lane had acknowledged, or the fence left behind.
  Timestamp ReadableAt() const;
  uint64_t calls() const;  // ever made, by lanes that are gone as well
  Executor* executor() const { return executor_; }

 private:
  struct Waiter {
    std::string lane;
    Timestamp stamp = 0;
    std::function<void()> done;
  };
  void EnsureFence(const std::string& lane, Timestamp stamp, std::function<void()> done);
  void CommitFences();
  void ScheduleTimer();
  bool Free(const std::string& name);
  void FreeReleased();

  const std::string target_;
  const Options options_;
  Executor* const executor_;
  DataSink* const sink_;
  ProgressStore* const store_;
  std::map<std::string, Timestamp> fences_;  // durable
  Timestamp readable_at_ = 0;                // of earlier lives and of lanes that were released
  uint64_t calls_of_freed_ = 0;
  std::map<std::string, Timestamp> wanted_;  // highest stamp asked for since the last commit
  std::vector<Waiter> waiters_;
  bool committing_ = false;
  std::map<std::string, std::unique_ptr<Lane>> lanes_;
  std::set<std::string> released_;  // and busy still
  Alive alive_;
};

}  // namespace cdc
