#include "sink/milvus/replayed_keys.h"

#include <algorithm>
#include <functional>

#include "client/milvus/message_codec.h"

namespace cdc {

uint64_t ReplayedKeys::Note(const LaneBatch& batch) {
  const bool replay = std::any_of(batch.items.begin(), batch.items.end(),
                                  [](const LaneItem& item) { return item.replay; });
  if (!replay) {
    keys_.clear();
    return 0;
  }
  uint64_t duplicates = 0;
  for (const LaneItem& item : batch.items) duplicates += NoteItem(item);
  return duplicates;
}

uint64_t ReplayedKeys::NoteItem(const LaneItem& item) {
  const bool insert = item.change.kind == ChangeKind::kInsert;
  if (!insert && item.change.kind != ChangeKind::kDelete) return 0;
  const Result<PrimaryKeys> keys = ReadPrimaryKeys(item.change, *item.to);
  if (!keys) return 0;
  uint64_t duplicates = 0;
  const auto note = [&](const auto& key) {
    const uint64_t hash = std::hash<std::decay_t<decltype(key)>>()(key) ^
                          static_cast<uint64_t>(item.change.collection_id) * 0x9E3779B97F4A7C15u;
    if (insert) {
      const auto [at, fresh] = keys_[hash].emplace(item.change.partition_id, item.change.id);
      if (fresh || at->second == item.change.id) return;  // the same once more replaces itself
      at->second = item.change.id;
      ++duplicates;
      return;
    }
    const auto at = keys_.find(hash);
    if (at == keys_.end()) return;
    if (item.change.partition_id != kAllPartitions) at->second.erase(item.change.partition_id);
    if (item.change.partition_id == kAllPartitions || at->second.empty()) keys_.erase(at);
  };
  std::visit([&](const auto& all) { std::for_each(all.begin(), all.end(), note); }, *keys);
  return duplicates;
}

}  // namespace cdc
