#include "pipeline/reconciler.h"

#include <algorithm>
#include <utility>

#include "base/format.h"

namespace cdc {

Reconciler::Reconciler(Options options, const TaskProgress& progress, Executor* executor,
                       TargetAdmin* admin, LaneSet* lanes, ReconcilerHost* host)
    : options_(std::move(options)),
      executor_(executor),
      admin_(admin),
      lanes_(lanes),
      host_(host),
      nothing_yet_(!options_.may_select_nothing && progress.objects.empty() &&
                   progress.channels.empty()),
      identity_(progress.source),
      database_records_(progress.databases) {
  for (const auto& [id, record] : progress.objects) {
    Object& object = objects_.try_emplace(id, id).first->second;
    SetRecord(&object, record);
    object.name = record.name;
  }
  ScheduleVerify();
  if (!progress.objects.empty() || !progress.databases.empty()) Settle();  // an earlier life's
}

Reconciler::~Reconciler() = default;

Object* Reconciler::Find(CollectionId id) {
  const auto it = objects_.find(id);
  return it == objects_.end() ? nullptr : &it->second;
}

std::string Reconciler::DatabaseName(DatabaseId id) const {
  const auto it = databases_.find(id);
  if (it != databases_.end()) return it->second.name;
  const auto record = database_records_.find(id);
  if (record != database_records_.end()) return record->second.source_name;
  return id <= 1 ? kDefaultDatabase : "";
}

std::string Reconciler::SourceDatabaseOf(const Object& object) const {
  return object.want ? DatabaseName(object.want->db_id) : "";
}

// ---- what the source says -------------------------------------------------------------------

void Reconciler::OnCatalog(const CatalogUpdate& update) {
  if (!CheckIdentity(update)) return;
  for (const SourceDatabase& database : update.databases) ApplyDatabase(database);
  for (const SourceCollectionPtr& collection : update.collections) ApplyCollection(collection);
  for (const Gone<CollectionId>& gone : update.gone_collections) ApplyGoneCollection(gone);
  if (update.full) ApplyFullListing(update);
  for (const Gone<DatabaseId>& gone : update.gone_databases) ApplyGoneDatabase(gone);
  catalog_seen_ = true;
  host_->ResumeChannels();
  DropEmptyDatabases();
  TellSelection();
}

// A name that was mistyped looks like a task with nothing to do. One that had something once is all
// right, even if all of it was dropped.
void Reconciler::TellSelection() {
  if (!objects_.empty()) nothing_yet_ = false;
  if (!nothing_yet_) {
    host_->SetTrouble(kSelectionTrouble, nullptr);
    return;
  }
  const Error error = RetryError(Format(
      "the task selects no collection that the source has now ({}); one that is created later is "
      "replicated from then on",
      ToString(options_.selection)));
  host_->SetTrouble(kSelectionTrouble, &error);
}

// An etcd that was wiped, restored or exchanged says nothing about the objects that we have on
// record, nor whose the rows in the log are: nothing is dropped and nothing skipped until a person
// has confirmed that it is the right one. False: it is in doubt.
bool Reconciler::CheckIdentity(const CatalogUpdate& update) {
  if (identity_.has_value() && identity_->cluster_id != 0 && update.cluster_id != 0) {
    std::string reason;
    if (identity_->cluster_id != update.cluster_id) {
      reason = Format("the source's etcd is another one than before (cluster id {}, was {})",
                      update.cluster_id, identity_->cluster_id);
    } else if (update.revision < identity_->revision) {
      reason = Format("the source's etcd went back from revision {} to {} (restored or wiped?)",
                      identity_->revision, update.revision);
    }
    if (!reason.empty()) {
      host_->Fail(FatalError(
          reason +
              "; nothing was changed on the target. If this is the right etcd, resume the task "
              "with accept_source: true; what it does not hold is kept on the target",
          ErrorKind::kSourceReplaced));
      return false;
    }
  }
  const bool first = !identity_.has_value() || identity_->cluster_id == 0;
  identity_ = SourceIdentity{update.cluster_id, update.revision};
  if (first || update.full) {
    identity_unrecorded_ = true;
    RecordRest();
  }
  return true;
}

void Reconciler::RecordRest() {
  if (recording_rest_ || (!identity_unrecorded_ && unrecorded_databases_.empty())) return;
  recording_rest_ = true;
  ProgressWrite write;
  const bool identity = std::exchange(identity_unrecorded_, false);
  if (identity) write.source = identity_;
  const std::set<DatabaseId> databases = std::exchange(unrecorded_databases_, {});
  for (const DatabaseId id : databases) {
    const auto record = database_records_.find(id);
    if (record == database_records_.end()) {
      write.forgotten_databases.push_back(id);
    } else {
      write.databases.push_back(record->second);
    }
  }
  host_->Write(std::move(write), alive_.Guard([this, identity, databases](const Status& status) {
    if (status.ok()) {
      recording_rest_ = false;
      record_backoff_.Reset();
      return RecordRest();  // what came meanwhile
    }
    identity_unrecorded_ |= identity;
    unrecorded_databases_.insert(databases.begin(), databases.end());
    executor_->PostAfter(record_backoff_.Next(), alive_.Guard([this] {
      recording_rest_ = false;
      RecordRest();
    }));
  }));
}

void Reconciler::ApplyCollection(const SourceCollectionPtr& collection) {
  Object* object = Find(collection->id);
  const std::string database = DatabaseName(collection->db_id);
  if (object == nullptr) {
    if (!options_.selection.Matches(database, collection->name)) {
      unselected_.insert(collection->id);
      return;
    }
    if (!collection->IsLive()) {  // being dropped, and we never had it
      absent_.insert(collection->id);
      return;
    }
    if (absent_.contains(collection->id)) return;
    unselected_.erase(collection->id);
    object = &objects_.try_emplace(collection->id, collection->id).first->second;
  }
  object->want = collection;
  object->vanished = false;
  object->name = options_.selection.Map(database, collection->name);
  if (collection->state == ObjectState::kDropping || collection->state == ObjectState::kDropped) {
    BeginDrop(object);
  }
  ApplyPartitions(object);
  OpenChannels(*object);
  Kick(collection->id);
}

void Reconciler::ApplyPartitions(Object* object) {
  for (const PartitionId id : object->dropped_partitions) MarkDropped(object, id);
  const SourceCollectionPtr want = object->want;
  for (const auto& [id, partition] : want->partitions) {
    if (partition.state == ObjectState::kCreated) {
      object->absent_partitions.erase(id);
    } else if (partition.state != ObjectState::kCreating) {
      BeginPartitionDrop(object, id);
    }
  }
}

void Reconciler::ApplyGoneCollection(const Gone<CollectionId>& gone) {
  unselected_.erase(gone.id);
  Object* object = Find(gone.id);
  if (object == nullptr) {
    absent_.insert(gone.id);
    return;
  }
  if (gone.marked || object->dropped_at_source) {
    BeginDrop(object);
    OpenChannels(*object);
  } else {
    object->vanished = true;
    const Error error = RetryError(Format(
        "collection {}.{} is gone from the source's etcd without a mark that it was dropped; it "
        "is kept on the target. If it was dropped on purpose, drop it there yourself",
        object->name.database, object->name.collection));
    host_->SetTrouble(Format("vanished {}", gone.id), &error);
  }
  Kick(gone.id);
}

// Whatever we have on record and a complete listing does not mention has vanished.
void Reconciler::ApplyFullListing(const CatalogUpdate& update) {
  std::set<CollectionId> listed;
  for (const SourceCollectionPtr& collection : update.collections) listed.insert(collection->id);
  for (const Gone<CollectionId>& gone : update.gone_collections) listed.insert(gone.id);
  std::vector<CollectionId> missing;
  for (const auto& [id, object] : objects_) {
    if (!listed.contains(id)) missing.push_back(id);
  }
  for (const CollectionId id : missing) ApplyGoneCollection({id, false});
  for (auto& [id, object] : objects_) {
    OpenChannels(object);
    Kick(id);
  }
}

void Reconciler::OpenChannels(const Object& object) {
  if (object.phase == ObjectPhase::kGone) return;
  for (const std::string& pchannel : object.pchannels()) host_->OpenChannel(pchannel, object);
}

void Reconciler::BeginDrop(Object* object) {
  object->dropped_at_source = true;
  host_->SetTrouble(Format("vanished {}", object->id), nullptr);
  if (object->drop.has_value()) return;
  object->drop.emplace(object->pchannels());
  with_barriers_.insert(object->id);
  TakeWatermarks(object->id, 0);
}

// The log may know of a drop before the catalog does: it must not be made again meanwhile.
void Reconciler::MarkDropped(Object* object, PartitionId partition) {
  object->dropped_partitions.insert(partition);
  if (!object->want) return;
  const auto it = object->want->partitions.find(partition);
  if (it == object->want->partitions.end() || it->second.state != ObjectState::kCreated) return;
  auto changed = std::make_shared<SourceCollection>(*object->want);
  changed->partitions.at(partition).state = ObjectState::kDropping;
  object->want = std::move(changed);
}

void Reconciler::BeginPartitionDrop(Object* object, PartitionId partition) {
  MarkDropped(object, partition);
  const bool ours = object->record && object->record->partitions.contains(partition);
  if (!ours) {
    object->absent_partitions.insert(partition);
    return;
  }
  if (object->partition_drops.contains(partition)) return;
  object->partition_drops.emplace(partition, DropBarrier(object->pchannels()));
  with_barriers_.insert(object->id);
  TakeWatermarks(object->id, partition);
}

// partition 0: the collection's own drop.
void Reconciler::TakeWatermarks(CollectionId id, PartitionId partition) {
  Object* object = Find(id);
  if (object == nullptr) return;
  host_->Latest(
      object->pchannels(),
      alive_.Guard([this, id, partition](Result<std::map<std::string, LogPosition>> latest) {
        Object* object = Find(id);
        if (object == nullptr) return;
        if (!latest.ok()) {
          executor_->PostAfter(std::chrono::seconds(1), alive_.Guard([this, id, partition] {
            TakeWatermarks(id, partition);
          }));
          return;
        }
        DropBarrier* barrier = nullptr;
        if (partition == 0) {
          barrier = object->drop ? &*object->drop : nullptr;
        } else {
          const auto it = object->partition_drops.find(partition);
          barrier = it == object->partition_drops.end() ? nullptr : &it->second;
        }
        if (barrier == nullptr) return;
        barrier->SetWatermarks(*std::move(latest));
        for (const std::string& name : object->pchannels()) {
          Channel* channel = host_->FindChannel(name);
          if (channel == nullptr) {
            barrier->Pass(name);  // nothing reads it, so nothing of it is on its way
          } else {
            OnCheckpointMoved(channel);
          }
        }
        Kick(id);
      }));
}

void Reconciler::OnCheckpointMoved(Channel* channel) {
  for (const CollectionId id : with_barriers_) {
    Object& object = objects_.at(id);
    const auto check = [&, object_id = id](DropBarrier& barrier) {
      if (!barrier.IsWaitingFor(channel->name())) return;
      const LogPosition* watermark = barrier.Watermark(channel->name());
      if (watermark == nullptr || !channel->Passed(*watermark)) return;
      barrier.Pass(channel->name());
      Kick(object_id);
    };
    if (object.drop) check(*object.drop);
    for (auto& [partition, barrier] : object.partition_drops) check(barrier);
  }
}

void Reconciler::OnDropMessage(Channel* channel, const Change& change, uint64_t token) {
  Object* object = Find(change.collection_id);
  if (object == nullptr) {
    // A partition's drop says nothing of its collection, which the catalog may name any moment.
    const bool whole = change.kind == ChangeKind::kDropCollection;
    if (whole && !unselected_.contains(change.collection_id)) absent_.insert(change.collection_id);
    channel->Ack(token);
    return;
  }
  if (change.kind == ChangeKind::kDropCollection) {
    BeginDrop(object);
    object->drop->Message(channel->name(), token, change.ts);
    Kick(object->id);
    return;
  }
  BeginPartitionDrop(object, change.partition_id);
  const auto it = object->partition_drops.find(change.partition_id);
  if (it == object->partition_drops.end()) {
    channel->Ack(token);
    return;
  }
  it->second.Message(channel->name(), token, change.ts);
  Kick(object->id);
}

void Reconciler::AckTokens(const DropBarrier& barrier) {
  for (const auto& [name, token] : barrier.tokens()) {
    if (Channel* channel = host_->FindChannel(name)) channel->Ack(token);
  }
}

void Reconciler::Erase(CollectionId id) {
  Object* object = Find(id);
  if (object == nullptr) return;
  for (const auto& [pchannel, lane] : object->joined) {
    Channel* channel = host_->FindChannel(pchannel);
    if (channel == nullptr) continue;
    channel->Forget(id);
    channel->LeaveLane(lane);
  }
  if (object->drop) AckTokens(*object->drop);
  for (const auto& [partition, barrier] : object->partition_drops) AckTokens(barrier);
  for (const char* what : {"object", "refused", "vanished", "partition"}) {
    host_->SetTrouble(Format("{} {}", what, id), nullptr);
  }
  absent_.insert(id);
  with_barriers_.erase(id);
  SetRecord(object, std::nullopt);
  objects_.erase(id);
  host_->ResumeChannels();
  KickAll();  // somebody may have waited for the name
  DropEmptyDatabases();
}

}  // namespace cdc
