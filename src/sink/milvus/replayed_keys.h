// ReplayedKeys: counts the keys that the source holds more than once and the target may not.
//
// Milvus lets plain inserts put one key into a partition several times. A replayed insert deletes
// its keys first, so a row of equal key that was replayed before it is lost on the target
// (docs/operations/limits.md). What was inserted before the replayed stretch is not known here.
//
// A rewind, or a position of another program, makes a whole backlog a replay: so `max_keys` are
// kept at most, over all lanes. A lane that would need more is forgotten and not counted until its
// replay ends.
//
// Plain value, one per sink; used on its executor. Holds some 60 bytes per key of the stretches
// that are being replayed (a node of 48 with the allocator's share, and its place in the table),
// and nothing otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "pipeline/ports.h"

namespace cdc {

class ReplayedKeys {
 public:
  explicit ReplayedKeys(size_t max_keys) : max_keys_(max_keys) {}

  // A batch is about to be sent; it may be one that was sent before. Returns how many of its rows
  // take the place of another. Keys that cannot be read are passed over: sending them fails.
  uint64_t Note(const LaneBatch& batch);
  // The lane is gone.
  void Forget(const std::string& lane);

  size_t keys() const { return kept_; }

 private:
  struct Place {
    PartitionId partition = 0;
    LogId message;  // that put it there
  };
  struct Lane {
    std::unordered_multimap<uint64_t, Place> keys;  // by collection and key, hashed
    bool uncounted = false;                         // too many: until the replay ends
  };

  uint64_t NoteItem(const LaneItem& item, Lane* lane);
  bool Insert(uint64_t key, const LaneItem& item, Lane* lane);
  void Delete(uint64_t key, PartitionId partition, Lane* lane);
  void Clear(Lane* lane);

  const size_t max_keys_;
  size_t kept_ = 0;
  std::map<std::string, Lane> lanes_;  // those in a replay
};

}  // namespace cdc
