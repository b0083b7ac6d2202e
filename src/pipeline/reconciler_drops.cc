// Drops of collections and partitions, once every channel is past them.
#include <algorithm>
#include <memory>
#include <utility>

#include "base/format.h"
#include "pipeline/reconciler.h"

namespace cdc {

void Reconciler::RunDrop(Object* object) {
  if (options_.drops == DropPolicy::kHold || !object->OnTarget()) {
    FinishDrop(object);
    return;
  }
  object->phase = ObjectPhase::kDropping;
  object->busy = true;
  // Look once more: only the very collection that is ours may be dropped.
  admin_->Describe(object->record->name, WithObject(object->id, [this](Object* o, auto found) {
                     if (!found.ok()) {
                       RetryLater(o, "drop collection " + ToString(o->record->name), found.error());
                       return;
                     }
                     if (!*found || (*found)->id != o->record->target_id) {
                       FinishDrop(o);
                       return;
                     }
                     o->actual = **std::move(found);
                     if (!o->actual->aliases.empty()) {  // refused while it has aliases
                       DropFirstAlias(o);
                       return;
                     }
                     DdlStep step;
                     step.kind = DdlStep::Kind::kDropCollection;
                     step.ts = o->drop->ts();
                     DropOnTarget(o, step, kAllPartitions, [this](Object* d) { FinishDrop(d); });
                   }));
}

void Reconciler::DropFirstAlias(Object* object) {
  DdlStep step;
  step.kind = DdlStep::Kind::kDropAlias;
  step.name = object->record->name;
  step.alias = *object->actual->aliases.begin();
  ApplyStep(object, std::move(step), false);
}

// Carries out `step`, a drop of the collection or of one partition, behind the drop messages that a
// standby needs.
void Reconciler::DropOnTarget(Object* object, DdlStep step, PartitionId target_partition,
                              std::function<void(Object*)> finish) {
  step.name = object->record->name;
  step.ts = std::max(step.ts, lanes_->ReadableAt());
  object->busy = true;
  const ChangeKind kind = step.kind == DdlStep::Kind::kDropCollection ? ChangeKind::kDropCollection
                                                                      : ChangeKind::kDropPartition;
  InjectDrops(object, kind, target_partition, step.ts,
              alive_.Guard([this, id = object->id, step, finish] {
                auto dropped = [this, step, finish](Object* o, const Status& status) {
                  if (!status.ok()) {
                    RetryLater(o, ToString(step), status.error());
                    return;
                  }
                  finish(o);
                };
                if (Find(id) != nullptr) ApplyOnTarget(step, WithObject(id, dropped));
              }));
}

// On a standby a drop is also a message on every channel of the object, behind its last row.
void Reconciler::InjectDrops(Object* object, ChangeKind kind, PartitionId partition, Timestamp ts,
                             std::function<void()> done) {
  if (!lanes_->merging() || object->actual->vchannels.empty()) {
    done();
    return;
  }
  const TargetCollection& actual = *object->actual;
  auto left = std::make_shared<size_t>(actual.vchannels.size());
  auto finish = std::make_shared<std::function<void()>>(std::move(done));
  for (size_t i = 0; i < actual.vchannels.size(); ++i) {
    auto to = std::make_shared<TargetAddressOfRows>();
    to->name = actual.name;
    to->collection_id = actual.id;
    to->vchannel = actual.vchannels[i];
    to->pchannel = actual.pchannels[i];
    to->partition_id = partition;
    for (const auto& [name, id] : actual.partitions) {
      if (id == partition) to->partition = name;
    }
    lanes_->Get(actual.pchannels[i])->InjectDrop(kind, std::move(to), ts, [left, finish] {
      if (--*left == 0) (*finish)();
    });
  }
}

void Reconciler::FinishDrop(Object* object) {
  object->phase = ObjectPhase::kGone;
  object->busy = true;
  ProgressWrite write;
  write.forgotten_objects.push_back(object->id);
  host_->Write(std::move(write), WithObject(object->id, [this](Object* o, const Status& status) {
                 if (!status.ok()) {
                   o->phase = ObjectPhase::kDropping;
                   RetryLater(o, "forget " + ToString(o->name), status.error());
                   return;
                 }
                 Erase(o->id);
               }));
}

// True when a partition drop is under way.
bool Reconciler::RunPartitionDrop(Object* object) {
  if (object->dropped_at_source) return false;
  for (const auto& [partition, barrier] : object->partition_drops) {
    if (!barrier.Complete() || object->in_flight_by_partition.contains(partition)) continue;
    if (!MayChange(object)) return true;
    const auto target = object->record->partitions.find(partition);
    std::string name;
    for (const auto& [target_name, id] : object->actual->partitions) {
      if (target != object->record->partitions.end() && id == target->second) name = target_name;
    }
    if (name.empty() || options_.drops == DropPolicy::kHold || options_.ignore_partitions) {
      FinishPartitionDrop(object, partition);
    } else if (auto release = StepBeforePartitionDrop(*object->actual, name)) {
      ApplyStep(object, *std::move(release), false);
    } else {
      DdlStep step;
      step.kind = DdlStep::Kind::kDropPartition;
      step.partition = name;
      step.ts = barrier.ts();
      DropOnTarget(object, step, target->second,
                   [this, p = partition](Object* o) { FinishPartitionDrop(o, p); });
    }
    return true;
  }
  return false;
}

void Reconciler::FinishPartitionDrop(Object* object, PartitionId partition) {
  object->record->partitions.erase(partition);
  object->absent_partitions.insert(partition);
  object->addresses.clear();
  Persist(object, [this, partition](Object* o) {
    const auto it = o->partition_drops.find(partition);
    if (it != o->partition_drops.end()) {
      AckTokens(it->second);
      o->partition_drops.erase(it);
    }
    if (!o->drop && o->partition_drops.empty()) with_barriers_.erase(o->id);
    o->described = false;
    host_->ResumeChannels();
    Step(o->id);
  });
}

}  // namespace cdc
