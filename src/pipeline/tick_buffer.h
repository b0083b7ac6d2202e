// TickBuffer: turns one channel's log order into timestamp order.
//
// Milvus writes a channel out of timestamp order and promises that after TimeTick(T) no message
// with ts <= T follows. So messages wait here until a tick covers them and leave sorted by (ts,
// deletes first, log order). A second Insert or Delete with the same base.msgID is a copy of the
// first (a producer's retry) and is dropped, as Milvus' own consumers do; even when it comes late,
// behind the tick (seen on Pulsar: a producer that lost its broker writes again what was not
// acknowledged). Owned by a Channel; not shared.
#pragma once

#include <cstdint>
#include <vector>

#include "model/change.h"

namespace cdc {

// A change together with the AckTracker's token for it.
struct TrackedChange {
  Change change;
  uint64_t token = 0;
};

class TickBuffer {
 public:
  // A copy of a change that has left already: not to be added.
  bool IsLateCopy(const Change& change) const;
  void Add(TrackedChange change);

  struct Released {
    std::vector<TrackedChange> changes;  // ts <= tick, in order
    std::vector<TrackedChange> copies;   // dropped duplicates, to be acknowledged at once
  };
  Released Release(Timestamp tick);

  size_t size() const { return held_.size(); }

 private:
  // Far more than a producer has under way at once.
  static constexpr size_t kRemembered = 8192;

  std::vector<TrackedChange> held_;  // in log order
  Timestamp tick_ = 0;
  std::vector<int64_t> recent_;  // message ids of the last rows added, negative: of deletes
  size_t next_recent_ = 0;
};

}  // namespace cdc
