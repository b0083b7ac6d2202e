// Whose is it: which collection of the target belongs to which object of ours, and who holds a
// name.
#include <algorithm>
#include <limits>
#include <utility>

#include "base/format.h"
#include "pipeline/reconciler.h"

namespace cdc {

namespace {
constexpr CollectionId kLowest = std::numeric_limits<CollectionId>::min();
}  // namespace

void Reconciler::SetRecord(Object* object, std::optional<ObjectRecord> record) {
  if (const auto& old = object->record) {
    names_.erase({old->name, object->id});
    names_.erase({old->moving_to, object->id});
    target_ids_.erase({old->target_id, object->id});
  }
  object->record = std::move(record);
  if (const auto& now = object->record) {
    names_.emplace(now->name, object->id);
    if (now->moving_to != TargetName{}) names_.emplace(now->moving_to, object->id);
    target_ids_.emplace(now->target_id, object->id);
  }
}

const Object* Reconciler::HolderOf(const TargetName& name, CollectionId except) const {
  for (auto it = names_.lower_bound({name, kLowest}); it != names_.end() && it->first == name;
       ++it) {
    if (it->second != except) return &objects_.at(it->second);
  }
  return nullptr;
}

const Object* Reconciler::OwnerOf(const TargetCollection& found, CollectionId except) const {
  auto it = target_ids_.lower_bound({found.id, kLowest});
  for (; it != target_ids_.end() && it->first == found.id; ++it) {
    if (it->second == except) continue;
    const Object& object = objects_.at(it->second);
    if (!found.IsMilvusLite() || object.record->name == found.name) return &object;
  }
  return nullptr;
}

// True while another collection of this task stands under `name`. One that is to be dropped or
// renamed frees it by itself; any other is a mistake in the mapping, and said so.
bool Reconciler::WaitsForName(Object* object, const TargetName& name) {
  const Object* holder = HolderOf(name, object->id);
  if (holder == nullptr) return false;
  const bool frees = holder->dropped_at_source || holder->name != holder->record->name;
  if (!frees) {
    const Error error =
        RetryError(Format("source collections {} and {} are both mapped to {}; change name_mapping",
                          holder->id, object->id, ToString(name)));
    host_->SetTrouble(object->TroubleKey(), &error);
  }
  return true;
}

// A row of an object that is not made yet has come. If the object that holds its name is freed only
// by what stands behind this row, waiting for it would be for ever: it is made under a temporary
// name.
void Reconciler::ParkIfNeeded(Object* object, const Channel& channel) {
  if (object->parked || object->record || object->vanished) return;
  const Object* holder = HolderOf(object->name, object->id);
  if (holder == nullptr) return;
  const bool frees = holder->dropped_at_source || holder->name != holder->record->name;
  if (!frees) return;  // a mistake in the mapping
  if (!holder->drop || holder->drop->IsWaitingFor(channel.name())) {
    object->parked = true;
    Kick(object->id);
    return;
  }
  // The drop is behind the rows of others like this one, on another channel, if it takes so long.
  executor_->PostAfter(options_.park_after, alive_.Guard([this, id = object->id] {
    Object* waiting = Find(id);
    if (waiting == nullptr || waiting->parked || waiting->OnTarget()) return;
    if (HolderOf(waiting->name, id) == nullptr) return;
    waiting->parked = true;
    Kick(id);
  }));
}

void Reconciler::DescribeObject(Object* object, TargetName name) {
  object->busy = true;
  admin_->Describe(name, WithObject(object->id, [this, name](Object* o, auto found) {
                     if (!found.ok()) {
                       RetryLater(o, "describe " + ToString(name), found.error());
                       return;
                     }
                     OnDescribed(o, *std::move(found), name);
                   }));
}

bool Reconciler::IsOurs(const Object& object, const TargetCollection& found) const {
  const bool same_birth = options_.mode == TargetMode::kReplicate && object.want &&
                          found.created_ts == object.want->create_ts;
  if (!object.record) {
    // Made by an earlier life whose records are lost, or by an earlier task: one that begins in the
    // past would write the rows of that once more, so somebody has to say that it may.
    return same_birth && (!options_.start.collections.contains(object.id) ||
                          options_.start.adopted.contains(object.id));
  }
  if (object.record->target_id != 0) return found.id == object.record->target_id;
  // We were about to create it, and nothing stood there then.
  if (options_.mode == TargetMode::kReplicate) return found.created_ts == object.record->created_ts;
  if (found.name != object.record->name || OwnerOf(found, object.id) != nullptr) return false;
  return !object.want || SchemaDifference(object.want->schema, found.schema, true).empty();
}

void Reconciler::OnDescribed(Object* object, std::optional<TargetCollection> found,
                             TargetName asked) {
  host_->SetTrouble(object->TroubleKey(), nullptr);
  if (found && IsOurs(*object, *found)) {
    Own(object, *std::move(found));
    return;
  }
  if (found && !object->record) {
    if (OwnerOf(*found, object->id) != nullptr || HolderOf(asked, object->id) != nullptr) {
      // One of ours, renamed or just made and not described since: it will move on.
      executor_->PostAfter(std::chrono::milliseconds(200),
                           alive_.Guard([this, id = object->id] { Step(id); }));
      return;
    }
  }
  const std::vector<TargetName> names = object->PossibleNames();
  const auto at = std::find(names.begin(), names.end(), asked);
  if (at != names.end() && at + 1 != names.end()) {
    DescribeObject(object, *(at + 1));
    return;
  }
  if (object->OnTarget()) {  // it was ours and is nowhere
    // Without a mark, but gone on both sides: a drop of an earlier life whose mark was collected.
    if (object->dropped_at_source || object->vanished) {
      FinishDrop(object);
      return;
    }
    host_->Fail(FatalError(Format(
        "collection {} (id {}) of this task is gone from the target or was replaced by another; "
        "somebody else dropped it there. Delete this task and create it again to copy it anew",
        ToString(object->record->name), object->record->target_id)));
    return;
  }
  if (found && !object->record) {
    OnStranger(object, *std::move(found));
    return;
  }
  object->described = true;
  object->actual = std::nullopt;
  Step(object->id);
}

void Reconciler::OnStranger(Object* object, TargetCollection found) {
  if (!object->want) return;
  if (found.IsItself(*object->want)) {  // every row would come back as a new one
    host_->Fail(
        FatalError(Format("the target is the source itself: its collection {} has the same "
                          "id. Give the address of another Milvus in milvus_connect_param",
                          ToString(found.name))));
    return;
  }
  const bool api = options_.mode == TargetMode::kApi;
  std::string difference = SchemaDifference(object->want->schema, found.schema, api);
  if (options_.mode == TargetMode::kReplicate &&
      found.vchannels.size() != object->want->vchannels.size()) {
    difference += Format("shards: {} at the source, {} at the target\n",
                         object->want->vchannels.size(), found.vchannels.size());
  }
  const bool adopt = options_.adopt || options_.start.adopted.contains(object->id);
  if (adopt && difference.empty()) {
    Own(object, std::move(found));
    return;
  }
  std::string message = Format("collection {} exists on the target and was not made by this task",
                               ToString(object->name));
  message += difference.empty()
                 ? ". Its schema fits: create the task with adopt: true to take it over"
                 : " and does not fit: " + difference;
  message += ". Otherwise drop or rename it there, or map the name with name_mapping";
  std::replace(message.begin(), message.end(), '\n', ';');
  host_->Fail(FatalError(message, ErrorKind::kAlreadyExists));
}

// Takes `found` as this object's collection and records what is new about it.
void Reconciler::Own(Object* object, TargetCollection found) {
  ObjectRecord record = object->record.value_or(ObjectRecord{});
  record.source_id = object->id;
  record.name = found.name;
  record.moving_to = {};
  record.target_id = found.id;
  record.created_ts = found.created_ts;
  if (object->want) record.pchannels = object->want->pchannels;
  if (lanes_->merging() && found.vchannels.size() != record.pchannels.size()) {
    host_->Fail(
        FatalError(Format("collection {} has {} shards at the source and {} at the target",
                          ToString(found.name), record.pchannels.size(), found.vchannels.size())));
    return;
  }
  if (!OwnPartitions(object, &record, found)) {
    host_->Fail(
        FatalError(Format("a partition of collection {} was dropped on the target by "
                          "somebody else; delete this task and create it again",
                          ToString(found.name))));
    return;
  }
  const bool changed = object->unrecorded || !object->record || *object->record != record;
  const bool moved = object->record && (object->record->name != record.name ||
                                        object->record->moving_to != record.moving_to);
  SetRecord(object, std::move(record));
  if (moved) KickAll();  // somebody may have waited for the name
  object->actual = std::move(found);
  object->addresses.clear();
  object->described = true;
  object->backoff.Reset();
  if (changed) {
    Persist(object, [this](Object* o) {
      host_->ResumeChannels();
      Step(o->id);
    });
  } else {
    Step(object->id);
  }
}

// Pairs partitions by what is recorded, else by name. False: one of ours is missing on the target.
bool Reconciler::OwnPartitions(Object* object, ObjectRecord* record,
                               const TargetCollection& found) const {
  std::set<PartitionId> taken;
  for (auto it = record->partitions.begin(); it != record->partitions.end();) {
    const auto [source, target] = *it;
    const bool there = std::any_of(found.partitions.begin(), found.partitions.end(),
                                   [id = target](const auto& p) { return p.second == id; });
    if (there) taken.insert(target);
    if (!there && target != 0 && object->dropped_at_source) {  // its rows are not wanted any more
      it = record->partitions.erase(it);
      continue;
    }
    if (there || target == 0 || !object->want) {
      ++it;
      continue;
    }
    // Gone is wrong only for what lives at the source: a drop of ours may have outrun its record.
    const auto want = object->want->partitions.find(source);
    const bool lives =
        want != object->want->partitions.end() && want->second.state == ObjectState::kCreated;
    if (lives && !options_.ignore_partitions) {
      return false;
    }
    it = record->partitions.erase(it);
  }
  if (!object->want) return true;
  for (const auto& [source, partition] : object->want->partitions) {
    const auto target = found.partitions.find(partition.name);
    if (target == found.partitions.end() || taken.contains(target->second)) continue;
    const auto known = record->partitions.find(source);
    // One that is being dropped is ours only if we had begun to make it.
    const bool pair = known == record->partitions.end() ? partition.state == ObjectState::kCreated
                                                        : known->second == 0;
    if (!pair) continue;
    record->partitions[source] = target->second;
    taken.insert(target->second);
  }
  return true;
}

}  // namespace cdc
