// ReplicateSink: writes lanes into a standby target, rows keeping the timestamps they are given.
//
// A LaneBatch becomes one ReplicateMessage call (several, in order, above about 48 MiB), its tick
// the last message. Contract: pipeline/ports.h (DataSink); one connection per lane. Used on the
// executor, which must outlive the sink; nothing blocks.
//
// Errors: kNotStandby (the target was promoted), kUnknownOutcome (call Drain before sending again),
// kUnavailable (surely not applied), corrupt (a replayed insert without readable keys), fatal for
// messages that the target refuses: one unknown collection refuses the whole call.
#pragma once

#include <memory>
#include <string>

#include "base/executor.h"
#include "pipeline/ports.h"
#include "sink/milvus/lane_connections.h"

namespace cdc {

struct MilvusSinkOptions {
  Duration settle = std::chrono::seconds(1);  // how long Drain waits for a lost call to arrive
  size_t max_call_bytes = 48u << 20;          // servers take 64 MiB
};

class ReplicateSink final : public DataSink {
 public:
  ReplicateSink(TargetAddress address, Executor* executor, MilvusSinkOptions options = {});
  ~ReplicateSink() override;

  void Send(std::shared_ptr<const LaneBatch> batch, Callback<SendOutcome> done) override;
  void Drain(const std::string& lane, Callback<Status> done) override;

 private:
  struct Run;
  void Next(std::shared_ptr<Run> run);

  Executor* executor_;
  MilvusSinkOptions options_;
  Alive alive_;
  LaneConnections connections_;  // last: it goes first, and waits for callbacks that use the rest
};

}  // namespace cdc
