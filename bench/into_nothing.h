// One replication of a made-up source's channel into a target that throws everything away, with the
// real pipeline and the real store.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "client/raw_log.h"
#include "model/timestamp.h"

namespace cdc::bench {

struct Run {
  std::shared_ptr<RawLog> log;
  std::string channel;
  std::string store;    // file of the store, made anew
  Timestamp begin = 0;  // the collection is older than it
  // Up to when; 0: whatever `write` returns, which writes the source meanwhile.
  Timestamp end = 0;
  std::function<Timestamp()> write;
  // One fence that covers everything: nothing waits for the store.
  bool without_fence = false;
};

struct Measured {
  double seconds = 0;
  size_t commits = 0;  // of the store
  uint64_t rows = 0;
};

// Blocks until every change up to the end was thrown away.
Result<Measured> ReplicateIntoNothing(const Run& run);

}  // namespace cdc::bench
