// ReplayedKeys: counts the keys that the source holds more than once and the target may not.
//
// Milvus lets plain inserts put one key into a partition several times. A replayed insert deletes
// its keys first, so a row of equal key that was replayed before it is lost on the target
// (docs/operations/limits.md). What was inserted before the replayed stretch is not known here.
//
// Plain value, one per lane; used by the sink, on its executor. Holds 50 bytes or so per key of the
// stretch that is being replayed, and nothing otherwise.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>

#include "pipeline/ports.h"

namespace cdc {

class ReplayedKeys {
 public:
  // A batch is about to be sent; it may be one that was sent before. Returns how many of its rows
  // take the place of another. Keys that cannot be read are passed over: sending them fails.
  uint64_t Note(const LaneBatch& batch);

 private:
  uint64_t NoteItem(const LaneItem& item);

  // Collection and key, hashed -> partition -> the message that put it there.
  std::unordered_map<uint64_t, std::map<PartitionId, LogId>> keys_;
};

}  // namespace cdc
