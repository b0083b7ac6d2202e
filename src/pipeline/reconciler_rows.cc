// Where the rows of a change go on the target, and which of them wait.
#include <algorithm>
#include <utility>

#include "base/format.h"
#include "pipeline/reconciler.h"

namespace cdc {

Routing Reconciler::Route(Channel* channel, const Change& change) {
  const CollectionId id = change.collection_id;
  if (unselected_.contains(id) || absent_.contains(id)) return {Routing::Kind::kSkip, nullptr};
  Object* object = Find(id);
  if (object == nullptr) return AskCatalog(change);
  if (object->phase == ObjectPhase::kGone) return {Routing::Kind::kSkip, nullptr};
  if (object->drop && !object->drop->IsWaitingFor(channel->name())) {
    return {Routing::Kind::kSkip, nullptr};  // behind its own drop
  }
  if (object->dropped_at_source && !object->record) {
    return {Routing::Kind::kSkip, nullptr};  // never made, and not to be made any more
  }
  if (object->phase != ObjectPhase::kReady) {
    if (object->phase == ObjectPhase::kPending) ParkIfNeeded(object, *channel);
    return {Routing::Kind::kHold, nullptr};
  }
  if (object->absent_partitions.contains(change.partition_id)) {
    return {Routing::Kind::kSkip, nullptr};
  }
  if (change.partition_id != kAllPartitions) {
    const auto record = object->record->partitions.find(change.partition_id);
    const bool made = record != object->record->partitions.end() && record->second != 0;
    const bool dropped =
        object->dropped_at_source || object->dropped_partitions.contains(change.partition_id);
    if (dropped && !made) {
      return {Routing::Kind::kSkip, nullptr};  // not made any more: its rows go with the drop
    }
    const auto barrier = object->partition_drops.find(change.partition_id);
    if (barrier != object->partition_drops.end() &&
        !barrier->second.IsWaitingFor(channel->name())) {
      return {Routing::Kind::kSkip, nullptr};
    }
    if (object->want && !object->want->partitions.contains(change.partition_id) && !made) {
      return AskCatalog(change);
    }
  }
  auto to = AddressFor(object, change.shard, change.partition_id);
  if (!to) {  // the partition is still to be made
    if (options_.ignore_partitions) {
      AwaitPartition(object, change.partition_id);
    } else {
      Kick(id);
    }
    return {Routing::Kind::kHold, nullptr};
  }
  return {Routing::Kind::kDeliver, std::move(to)};
}

// One linearizable read decides about an unknown object: Milvus commits an object before any row.
Routing Reconciler::AskCatalog(const Change& change) {
  const CollectionId id = change.collection_id;
  const PartitionId partition = change.partition_id;
  if (!asking_.insert(id).second) return {Routing::Kind::kHold, nullptr};
  host_->RefreshCatalog(id, alive_.Guard([this, id, partition](Status status) {
    const auto again = [this, id] {
      asking_.erase(id);
      host_->ResumeChannels();
    };
    if (!status.ok()) {
      host_->SetTrouble("catalog", &status.error());
      // The next update may answer without another question: the warning ends with the wait.
      executor_->PostAfter(std::chrono::milliseconds(500), alive_.Guard([this, again] {
        host_->SetTrouble("catalog", nullptr);
        again();
      }));
      return;
    }
    host_->SetTrouble("catalog", nullptr);
    Object* object = Find(id);
    if (object == nullptr) {
      if (!unselected_.contains(id)) absent_.insert(id);
    } else if (object->want && !object->want->partitions.contains(partition) &&
               partition != kAllPartitions) {
      object->absent_partitions.insert(partition);
    }
    again();
  }));
  return {Routing::Kind::kHold, nullptr};
}

std::shared_ptr<const TargetAddressOfRows> Reconciler::AddressFor(Object* object, int shard,
                                                                  PartitionId partition) {
  const auto key = std::pair(shard, partition);
  const auto known = object->addresses.find(key);
  if (known != object->addresses.end()) return known->second;
  const TargetCollection& actual = *object->actual;
  auto to = std::make_shared<TargetAddressOfRows>();
  to->name = actual.name;
  to->collection_id = actual.id;
  for (size_t i = 0; i < actual.vchannels.size(); ++i) {
    // Keys are routed to shards by index: v{i} pairs with v{i}, whatever the channels are called.
    if (ShardIndex(actual.vchannels[i]) != shard) continue;
    to->vchannel = actual.vchannels[i];
    to->pchannel = actual.pchannels[i];
  }
  if (lanes_->merging() && to->vchannel.empty()) return nullptr;
  if (shard >= 0 && static_cast<size_t>(shard) < object->joined.size()) {
    to->lane = object->joined[static_cast<size_t>(shard)].second;
  }
  const CollectionSchema& schema = object->want ? object->want->schema : actual.schema;
  to->partition_key = schema.PartitionKey() != nullptr;
  // In api mode the target itself puts rows of a partition key into partitions of its own.
  if (partition != kAllPartitions && (lanes_->merging() || !to->partition_key)) {
    const auto target = object->record->partitions.find(partition);
    if (target == object->record->partitions.end() || target->second == 0) return nullptr;
    to->partition_id = target->second;
    for (const auto& [name, id] : actual.partitions) {
      if (id == target->second) to->partition = name;
    }
    if (to->partition.empty()) return nullptr;
  }
  if (const Field* key_field = schema.PrimaryKey()) {
    to->primary_key = key_field->id;
    to->primary_key_name = key_field->name;
  }
  for (const Field& field : schema.fields) {
    if (!field.default_value.empty()) to->with_default.push_back(field.id);
  }
  to->milvus_lite = actual.IsMilvusLite();
  object->addresses.emplace(key, to);
  return to;
}

void Reconciler::OnDelivered(const Change& change) {
  if (Object* object = Find(change.collection_id)) {
    ++object->in_flight;
    ++object->in_flight_by_partition[change.partition_id];
    object->touched = true;
  }
}

void Reconciler::OnAcked(const Change& change) {
  Object* object = Find(change.collection_id);
  if (object == nullptr || object->in_flight == 0) return;
  --object->in_flight;
  uint64_t& partition = object->in_flight_by_partition[change.partition_id];
  if (--partition == 0) {
    object->in_flight_by_partition.erase(change.partition_id);
    if (object->partition_drops.contains(change.partition_id)) Kick(object->id);
  }
  if (object->in_flight == 0 && (object->phase == ObjectPhase::kQuiet || object->drop)) {
    Kick(object->id);
  }
}

std::optional<TargetName> Reconciler::WhereIs(const std::string& database,
                                              const std::string& collection,
                                              std::vector<std::string>* pchannels) const {
  for (const auto& [id, object] : objects_) {
    if (!object.want || object.want->name != collection || object.dropped_at_source) continue;
    if (DatabaseName(object.want->db_id) != database) continue;
    if (object.phase == ObjectPhase::kDropping || object.phase == ObjectPhase::kGone) continue;
    *pchannels = object.want->pchannels;
    if (object.phase == ObjectPhase::kReady) return object.actual->name;
  }
  return std::nullopt;
}

// Partitions of the target are its owner's: rows wait until he has made theirs.
void Reconciler::AwaitPartition(Object* object, PartitionId partition) {
  if (!object->awaited_partitions.insert(partition).second) return;
  std::string name = std::to_string(partition);
  if (object->want) {
    const auto want = object->want->partitions.find(partition);
    if (want != object->want->partitions.end()) name = want->second.name;
  }
  const Error error =
      RetryError(Format("{} has no partition {} on the target, and rows wait for it: make it there "
                        "(ignore_partition leaves that to you)",
                        ToString(object->record->name), name));
  host_->SetTrouble(Format("partition {}", object->id), &error);
  Poll(object);
}

void Reconciler::SettleAwaited(Object* object) {
  const size_t left = std::erase_if(object->awaited_partitions, [&](PartitionId partition) {
    const auto made = object->record->partitions.find(partition);
    return (made != object->record->partitions.end() && made->second != 0) ||
           object->dropped_partitions.contains(partition);
  });
  if (left == 0) return;
  if (object->awaited_partitions.empty()) {
    host_->SetTrouble(Format("partition {}", object->id), nullptr);
  }
  host_->ResumeChannels();
}

}  // namespace cdc
