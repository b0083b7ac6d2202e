// ApiSink: writes lanes into any Milvus with the calls of an ordinary client; the target gives the
// timestamps.
//
// A lane's calls are made one after another; what they are: sink/milvus/api_plan.h. Contract:
// pipeline/ports.h (DataSink); one connection per lane. Used on the executor, which must outlive
// the sink; nothing blocks.
//
// Errors: kStandby (the target is a standby), kNotFound (the collection or partition is gone),
// kUnknownOutcome (call Drain before sending again), kUnavailable (surely not applied), corrupt.
#pragma once

#include <memory>
#include <string>

#include "base/executor.h"
#include "pipeline/ports.h"
#include "sink/milvus/lane_connections.h"
#include "sink/milvus/replicate_sink.h"

namespace cdc {

class ApiSink final : public DataSink {
 public:
  ApiSink(TargetAddress address, Executor* executor, MilvusSinkOptions options = {});
  ~ApiSink() override;

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
