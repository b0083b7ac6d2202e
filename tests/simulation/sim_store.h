// SimStore: a ProgressStore that takes a while, fails now and then, and at a crash loses what was
// not durable yet. It knows what was sent to the target, and finds a fence that does not cover it.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "fault_points.h"
#include "pipeline/ports.h"
#include "sim_executor.h"
#include "sim_random.h"
#include "sim_report.h"

namespace cdc::sim {

struct StoreFaults {
  double error = 0;
  double slow = 0;
};

class SimStore final : public ProgressStore {
 public:
  SimStore(SimExecutor* executor, Random random, const StoreFaults* faults, FaultPoints* points,
           Report* report)
      : executor_(executor), random_(random), faults_(faults), points_(points), report_(report) {}

  void Commit(ProgressWrite write, Callback<Status> done) override;

  // The process died: some of the writes under way, in order, became durable; the rest are lost.
  void Crash();
  void Create(const std::string& task, TaskProgress progress) {
    tasks_[task] = std::move(progress);
  }
  const TaskProgress& Load(const std::string& task) const { return tasks_.at(task); }
  const std::map<std::string, Timestamp>& lanes() const { return lanes_; }

  // Since when (source time) it is on record that this partition was made; nullopt: it is not.
  std::optional<Timestamp> RecordedAt(CollectionId collection, PartitionId partition) const;

  // Told by the target: this was sent. Violations if no durable fence covers it.
  void OnSentChange(const std::string& task, const std::string& channel, Timestamp ts);
  void OnSentStamp(const std::string& lane, Timestamp stamp);

 private:
  struct Pending {
    ProgressWrite write;
    Callback<Status> done;
    bool fails = false;
  };
  void FinishFirst();
  void Apply(const ProgressWrite& write);
  void Check();

  SimExecutor* const executor_;
  Random random_;
  const StoreFaults* const faults_;
  FaultPoints* const points_;
  Report* const report_;
  std::deque<Pending> pending_;
  TimePoint last_due_;
  uint64_t life_ = 0;
  std::map<std::string, TaskProgress> tasks_;
  std::map<std::string, Timestamp> lanes_;
  std::map<std::pair<std::string, std::string>, Timestamp> sent_;  // (task, channel)
  std::map<std::string, Timestamp> stamped_;
  std::map<std::pair<CollectionId, PartitionId>, Timestamp> recorded_;
};

}  // namespace cdc::sim
