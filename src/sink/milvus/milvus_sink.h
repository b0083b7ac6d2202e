// MilvusSink: writes lanes into a Milvus. In replicate mode the target is a standby and rows keep
// the timestamps they are given (sink/milvus/replicate_plan.h); in api mode it is any Milvus,
// written to as an ordinary client does, and gives the timestamps (sink/milvus/api_plan.h).
//
// The calls of one Send are made on a connection of its own, borrowed until it ends: one after
// another, but those that touch different rows (api mode) together. Unless all succeed the
// connection is closed, so that a call of unknown outcome has lost it by the time of Drain. Drain
// asks on a new one whether the target answers: once for all lanes that wait for that, which are
// thousands after a start. Contract: pipeline/ports.h (DataSink). Used on the executor, which must
// outlive the sink; nothing blocks.
//
// A call that the target, or a gateway before it, finds too large is planned anew in calls of half
// its size, and so are all later ones, until this sink ends; only one source message that is too
// large by itself is refused.
//
// A target that says it has no such partition although it has is made to look again, and the call
// fails with retry (stale_partitions.h).
//
// Errors: kNotStandby and kStandby (the target is not what the mode needs), kNotFound (the
// collection or partition is gone), kUnknownOutcome (call Drain before sending again), kUnavailable
// (surely not applied), corrupt (keys that cannot be read; nothing was sent), fatal for what the
// target refuses (in replicate mode one unknown collection refuses the whole call).
#pragma once

#include <deque>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "client/milvus/milvus_client.h"
#include "model/task.h"
#include "pipeline/ports.h"
#include "sink/milvus/connection_pool.h"
#include "sink/milvus/planned_call.h"
#include "sink/milvus/replayed_keys.h"

namespace cdc {

class MilvusSink final : public DataSink {
 public:
  struct Options {
    Duration settle = std::chrono::seconds(1);  // how long Drain waits for a lost call to arrive
    size_t max_replicate_bytes = 48u << 20;     // of one call; servers take 64 MiB
    size_t max_rows_bytes = 4u << 20;           // of rows joined into one call in api mode
    size_t max_expression_bytes = 1u << 20;     // of one delete in api mode
    size_t max_calls_in_flight = 4;             // of a lane
    size_t max_connections = 256;               // lanes beyond wait, also for one that hangs
    size_t max_replayed_keys = 500'000;         // kept to count duplicates: 30 MB
  };

  // `mode`: kReplicate or kApi.
  MilvusSink(TargetAddress address, TargetMode mode, Executor* executor);
  MilvusSink(TargetAddress address, TargetMode mode, Executor* executor, Options options);
  ~MilvusSink() override;

  void Send(std::shared_ptr<const LaneBatch> batch, Callback<size_t> progress,
            Callback<SendOutcome> done) override;
  void Drain(const std::string& lane, Callback<Status> done) override;
  void Forget(const std::string& lane) override { replayed_.Forget(lane); }

  // Rows of equal key that a replay has put in one another's place, as far as they were counted.
  uint64_t duplicate_keys() const { return duplicate_keys_; }

 private:
  struct Run;
  Result<std::vector<PlannedCall>> Plan(const LaneBatch& batch) const;
  void Continue(const std::shared_ptr<Run>& run);
  void Start(const std::shared_ptr<Run>& run, size_t call);
  void OnAnswer(const std::shared_ptr<Run>& run, size_t call, Status status);
  void OnCallEnded(const std::shared_ptr<Run>& run, size_t call, Status status);
  Status OnTooLarge(const std::shared_ptr<Run>& run, size_t call, const Error& error);
  void PlanRest(const std::shared_ptr<Run>& run);
  void LetNextAlone();
  void Finish(const std::shared_ptr<Run>& run);
  void Probe();
  void OnProbed(const Status& status);

  const TargetAddress address_;
  const TargetMode mode_;
  Executor* const executor_;
  const Options options_;
  Alive alive_;
  size_t max_call_bytes_ = std::numeric_limits<size_t>::max();  // as learned from refusals
  ReplayedKeys replayed_;
  uint64_t duplicate_keys_ = 0;
  bool alone_ = false;  // a call that wants to be alone is in flight
  std::deque<std::pair<std::shared_ptr<Run>, size_t>> waiting_to_be_alone_;
  std::vector<Callback<Status>> probed_for_;      // drains that the probe under way answers
  std::vector<Callback<Status>> awaiting_probe_;  // drains that came after it began
  // Last: they go first, and wait for callbacks that use the rest.
  std::shared_ptr<MilvusClient> probe_;
  ConnectionPool connections_;
};

}  // namespace cdc
