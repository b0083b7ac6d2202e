#include "sink/milvus/replayed_keys.h"

#include <algorithm>
#include <functional>

#include "client/milvus/message_codec.h"

namespace cdc {

uint64_t ReplayedKeys::Note(const LaneBatch& batch) {
  const bool replay = std::any_of(batch.items.begin(), batch.items.end(),
                                  [](const LaneItem& item) { return item.replay; });
  if (!replay) {
    Forget(batch.lane);
    return 0;
  }
  Lane& lane = lanes_[batch.lane];
  uint64_t duplicates = 0;
  for (const LaneItem& item : batch.items) {
    if (lane.uncounted) break;
    duplicates += NoteItem(item, &lane);
    if (kept_ <= max_keys_) continue;
    Clear(&lane);
    lane.uncounted = true;
  }
  return duplicates;
}

void ReplayedKeys::Forget(const std::string& lane) {
  const auto it = lanes_.find(lane);
  if (it == lanes_.end()) return;
  Clear(&it->second);
  lanes_.erase(it);
}

void ReplayedKeys::Clear(Lane* lane) {
  kept_ -= lane->keys.size();
  lane->keys = {};
}

uint64_t ReplayedKeys::NoteItem(const LaneItem& item, Lane* lane) {
  const bool insert = item.change.kind == ChangeKind::kInsert;
  if (!insert && item.change.kind != ChangeKind::kDelete) return 0;
  const Result<PrimaryKeys> keys = ReadPrimaryKeys(item.change, *item.to);
  if (!keys) return 0;
  uint64_t duplicates = 0;
  const auto note = [&](const auto& key) {
    const uint64_t hash = std::hash<std::decay_t<decltype(key)>>()(key) ^
                          static_cast<uint64_t>(item.change.collection_id) * 0x9E3779B97F4A7C15u;
    if (!insert) {
      Delete(hash, item.change.partition_id, lane);
    } else if (Insert(hash, item, lane)) {
      ++duplicates;
    }
  };
  std::visit([&](const auto& all) { std::for_each(all.begin(), all.end(), note); }, *keys);
  return duplicates;
}

// Does the row take the place of another?
bool ReplayedKeys::Insert(uint64_t key, const LaneItem& item, Lane* lane) {
  const auto [begin, end] = lane->keys.equal_range(key);
  for (auto at = begin; at != end; ++at) {
    Place& place = at->second;
    if (place.partition != item.change.partition_id) continue;
    const bool another = place.message != item.change.id;  // the same once more replaces itself
    place.message = item.change.id;
    return another;
  }
  lane->keys.emplace(key, Place{item.change.partition_id, item.change.id});
  ++kept_;
  return false;
}

void ReplayedKeys::Delete(uint64_t key, PartitionId partition, Lane* lane) {
  auto [at, end] = lane->keys.equal_range(key);
  while (at != end) {
    if (partition == kAllPartitions || at->second.partition == partition) {
      at = lane->keys.erase(at);
      --kept_;
    } else {
      ++at;
    }
  }
}

}  // namespace cdc
