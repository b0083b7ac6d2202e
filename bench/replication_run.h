// One replication of a made-up source's channels, with the real pipeline and the real store, into a
// target that throws everything away or into a server that takes the rows.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "client/raw_log.h"
#include "model/task.h"
#include "model/timestamp.h"
#include "pipeline/ports.h"

namespace cdc::bench {

struct Run {
  std::shared_ptr<RawLog> log;
  std::vector<std::string> channels;  // the shards of its only collection
  std::string store;                  // file of the store, made anew
  Timestamp begin = 0;                // the collection is older than it
  // Up to when; 0: whatever `write` returns, which writes the source meanwhile.
  Timestamp end = 0;
  std::function<Timestamp()> write;
  // One fence that covers everything: nothing waits for the store.
  bool without_fence = false;
  TargetMode mode = TargetMode::kBlackhole;
  TargetAddress target;  // of the rows, if the mode is another; metadata go nowhere
  // Ends it before the end, as if all were done; 0: never.
  Duration at_most{0};
  // How often it is looked whether the end is there, which work that is counted had better not see.
  Duration look{std::chrono::milliseconds(1)};
  // Called at each look with the time up to which all is on the target.
  std::function<void(Timestamp safe)> watch;
  std::vector<std::shared_ptr<const LaneBatch>>* sent = nullptr;  // filled with all that was sent
};

struct Measured {
  double seconds = 0;
  size_t commits = 0;  // of the store
  uint64_t rows = 0;
};

// Blocks until every change up to the end is on the target.
Result<Measured> Replicate(const Run& run);
// The same batches once more, from memory, each lane's one after another: seconds.
Result<double> SendAll(const TargetAddress& target, TargetMode mode,
                       const std::vector<std::shared_ptr<const LaneBatch>>& batches);

}  // namespace cdc::bench
