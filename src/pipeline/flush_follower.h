// FlushFollower: repeats the source's flushes on the target.
//
// A flush leaves no state in etcd: it comes from the operation topic, one at a time and in order.
// It is repeated once everything the source wrote before it is acknowledged by the target. Lives on
// the pipeline's executor; owned by a Replication.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/executor.h"
#include "pipeline/ports.h"
#include "pipeline/reconciler.h"

namespace cdc {

class FlushFollower {
 public:
  struct Host {
    // Is every change of these channels with ts <= `ts` acknowledged?
    std::function<bool(const std::vector<std::string>& channels, Timestamp ts)> passed;
    std::function<void(const LogPosition&)> moved;  // the operation topic is done up to here
    std::function<void(const Error*)> trouble;      // nullptr: recovered
    std::function<void(const Error&)> fail;
    std::function<void()> unknown;  // an operation is unreadable, or of a kind that nobody knows
  };
  FlushFollower(LogPosition start, Executor* executor, OperationSource* source, TargetAdmin* admin,
                const Reconciler* reconciler, Host host);

  void Start();
  // Looks again whether the waiting flush may go; call when checkpoints moved.
  void Continue();

 private:
  void Read();
  void SetTrouble(const Error* error);
  void FlushNext(std::vector<TargetName> names, LogPosition done);

  const LogPosition start_;
  Executor* const executor_;
  OperationSource* const source_;
  TargetAdmin* const admin_;
  const Reconciler* const reconciler_;
  const Host host_;
  std::unique_ptr<OperationReader> reader_;
  std::deque<Operation> queue_;
  bool reading_ = false;
  bool flushing_ = false;
  bool troubled_ = false;
  uint64_t reads_ = 0;  // that have ended
  Backoff backoff_{std::chrono::milliseconds(200), std::chrono::seconds(10)};
  Alive alive_;
};

}  // namespace cdc
