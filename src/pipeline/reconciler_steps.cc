// The Reconciler's steps on the target: create, rename and whatever the planner says. Whose a
// collection is: reconciler_ownership.cc; drops: reconciler_drops.cc.
#include <algorithm>
#include <memory>
#include <utility>

#include "base/format.h"
#include "pipeline/reconciler.h"

namespace cdc {

void Reconciler::Kick(CollectionId id) {
  executor_->Post(alive_.Guard([this, id] { Step(id); }));
}

void Reconciler::KickAll() {
  for (const auto& [id, object] : objects_) {
    if (object.phase != ObjectPhase::kReady || object.record->name != object.name) Kick(id);
  }
}

void Reconciler::Step(CollectionId id) {
  Object* object = Find(id);
  if (halted_ || object == nullptr || object->busy || object->phase == ObjectPhase::kGone) return;
  if (!object->record && (object->dropped_at_source || object->vanished)) {
    Erase(id);
    return;
  }
  if (!object->described) {
    TargetName first = object->PossibleNames().front();
    if (!object->record && WaitsForName(object, first)) return;  // kicked when it is free
    if (!MayLook(object)) return;
    DescribeObject(object, std::move(first));
    return;
  }
  if (!object->actual) {
    if (!MayChange(object)) return;
    if (object->dropped_at_source) {
      FinishDrop(object);  // intended, never made
    } else if (object->want && object->want->IsLive()) {
      CreateObject(object);
    }
    return;
  }
  if (object->phase == ObjectPhase::kPending) {
    // A drop of an earlier life may still land; rows would be refused then.
    const bool dropping = object->dropped_at_source || !object->partition_drops.empty();
    if (dropping && !MayChange(object)) return;
    MakeReady(object);
  }
  if (object->phase == ObjectPhase::kQuiet && object->dropped_at_source) {
    object->phase = ObjectPhase::kReady;  // not renamed any more; its rows up to the drop may flow
    host_->ResumeChannels();
  }
  if (object->drop && object->drop->Complete() && object->in_flight == 0) {
    if (MayChange(object)) RunDrop(object);
    return;
  }
  if (RunPartitionDrop(object)) return;
  if (object->dropped_at_source || object->vanished || !object->want) return;
  if (RunRename(object)) return;
  RunPlanned(object);
}

void Reconciler::Persist(Object* object, std::function<void(Object*)> then) {
  object->busy = true;
  object->unrecorded = true;
  ProgressWrite write;
  write.objects.push_back(*object->record);
  host_->Write(std::move(write), WithObject(object->id, [this, then = std::move(then)](
                                                            Object* o, const Status& status) {
                 if (status.ok()) {
                   o->unrecorded = false;
                   then(o);
                   return;
                 }
                 RetryLater(o, "record " + ToString(o->record->name), status.error());
               }));
}

// In replicate mode. A collection that was taken over was born at another time than the source's,
// and may hold rows of any time up to the task's beginning: a Milvus skips rows from before the
// birth, and a delete takes only what is older than itself.
Timestamp Reconciler::FloorFor(const Object& object) const {
  const bool taken_over = !object.want || object.actual->created_ts != object.want->create_ts;
  const Timestamp born = taken_over ? object.actual->created_ts : 0;
  const bool filled = options_.adopt || options_.start.adopted.contains(object.id);
  return filled ? std::max(born, options_.start.made_ts) : born;
}

void Reconciler::MakeReady(Object* object) {
  const std::vector<std::string> pchannels = object->pchannels();
  if (object->joined.empty()) {
    for (size_t shard = 0; shard < pchannels.size(); ++shard) {
      Channel* channel = host_->OpenChannel(pchannels[shard], *object);
      std::string lane = Format("{}/{}_{}v{}", options_.task, pchannels[shard], object->id, shard);
      if (lanes_->merging()) {
        for (size_t i = 0; i < object->actual->vchannels.size(); ++i) {
          if (ShardIndex(object->actual->vchannels[i]) == static_cast<int>(shard)) {
            lane = object->actual->pchannels[i];
          }
        }
      }
      if (lanes_->merging()) lanes_->Get(lane)->StampAbove(FloorFor(*object));
      channel->JoinLane(lane);
      object->joined.emplace_back(pchannels[shard], lane);
    }
  }
  object->phase = ObjectPhase::kReady;
  host_->ResumeChannels();
}

// ---- create -----------------------------------------------------------------------------------

void Reconciler::CreateObject(Object* object) {
  // An intention on record is carried out under its name and renamed afterwards: a call of an
  // earlier life may still make it there.
  TargetName name = object->parked ? object->SwapName() : object->name;
  if (object->record) name = object->record->name;
  if (WaitsForName(object, name)) return;  // kicked when it is free
  object->busy = true;
  const CollectionId id = object->id;
  EnsureDatabase(
      name.database, WithObject(id, [this, name](Object* o, const Status& status) {
        if (!status.ok()) {
          RetryLater(o, "create database " + name.database, status.error());
          return;
        }
        if (!o->want || !o->want->IsLive() || HolderOf(name, o->id) != nullptr) {
          Step(o->id);
          return;
        }
        SetRecord(o, ObjectRecord{o->id, name, 0, o->want->create_ts, o->want->pchannels, {}, {}});
        Persist(o, [this](Object* intended) {
          DdlStep step;
          step.kind = DdlStep::Kind::kCreateCollection;
          step.name = intended->record->name;
          step.source = intended->want;
          step.ts = intended->want->create_ts;
          ApplyStep(intended, std::move(step), false);
        });
      }));
}

// ---- steps in general -------------------------------------------------------------------------

void Reconciler::ApplyStep(Object* object, DdlStep step, bool soft) {
  object->busy = true;
  DdlStep copy = step;
  ApplyOnTarget(std::move(step), WithObject(object->id, [this, copy = std::move(copy), soft](
                                                            Object* o, const Status& status) {
                  OnStepDone(o->id, copy, soft, status);
                }));
}

void Reconciler::OnStepDone(CollectionId id, DdlStep step, bool soft, Status status) {
  Object* object = Find(id);
  object->described = false;
  if (status.ok()) {
    host_->SetTrouble(object->TroubleKey(), nullptr);
    const std::string text = ToString(step);
    object->same_steps = text == object->last_step ? object->same_steps + 1 : 1;
    object->last_step = text;
    // It succeeds and changes nothing (milvus-lite releases no partitions): not again for a while.
    if (object->same_steps >= 3) object->refused.insert(text);
    object->backoff.Reset();
    if (step.kind == DdlStep::Kind::kCreateIndex && object->want) {
      for (const auto& [index_id, index] : object->want->indexes) {
        if (index.name == step.index) object->index_origin[index.name] = index_id;
      }
    }
    if (step.kind == DdlStep::Kind::kDropIndex) object->index_origin.erase(step.index);
    Step(id);
    return;
  }
  const Error& error = status.error();
  if (error.IsRetry()) {
    RetryLater(object, ToString(step), error);
    return;
  }
  if (!soft) {
    host_->Fail(error.Prefixed(ToString(step)));
    return;
  }
  object->refused.insert(ToString(step));
  const Error warning =
      RetryError("the target refuses to " + ToString(step) + ": " + error.message);
  host_->SetTrouble(Format("refused {}", id), &warning);
  Step(id);
}

void Reconciler::RetryLater(Object* object, const std::string& what, const Error& error) {
  object->described = false;
  if (!error.IsRetry()) {
    host_->Fail(error.Prefixed(what));
    return;
  }
  const Duration wait = object->backoff.Next();
  const Error trouble = error.Prefixed(what).RetriedIn(wait);
  host_->SetTrouble(object->TroubleKey(), &trouble);
  object->busy = true;  // nothing else may hurry past the waiting time
  executor_->PostAfter(wait, WithObject(object->id, [this](Object* o) { Step(o->id); }));
}

PlanContext Reconciler::ContextFor(const Object& object) const {
  PlanContext context;
  context.load = options_.load;
  context.ignore_partitions = options_.ignore_partitions;
  context.load_settled = object.load_settled;
  context.refused = object.refused;
  for (const auto& [name, source_id] : object.index_origin) {
    const auto it = object.want->indexes.find(source_id);
    if (it == object.want->indexes.end() || it->second.name != name) {
      context.stale_indexes.insert(name);
    }
  }
  if (object.want->aliases.empty() && object.actual->aliases.empty()) return context;
  for (const auto& [id, other] : objects_) {
    if (id == object.id || other.name.database != object.name.database) continue;
    if (other.actual) {
      context.aliases_elsewhere.insert(other.actual->aliases.begin(), other.actual->aliases.end());
    }
    if (other.want && !other.dropped_at_source) {
      context.aliases_wanted_elsewhere.insert(other.want->aliases.begin(),
                                              other.want->aliases.end());
    }
  }
  return context;
}

bool Reconciler::RunPlanned(Object* object) {
  SettleAwaited(object);
  std::optional<DdlStep> step = NextStep(*object->want, *object->actual, ContextFor(*object));
  if (!step) {
    if (object->actual->loading || !object->awaited_partitions.empty()) Poll(object);
    if (!object->actual->loading) object->load_settled = true;
    return false;
  }
  if (!MayChange(object)) return true;
  if (step->kind == DdlStep::Kind::kCreatePartition) return BeginPartition(object, *step);
  ApplyStep(object, *std::move(step), true);
  return true;
}

// Records first that the partition is to be made: should its drop come before we learn that it was,
// it is dropped all the same.
bool Reconciler::BeginPartition(Object* object, const DdlStep& step) {
  PartitionId begun = 0;
  for (const auto& [source, partition] : object->want->partitions) {
    if (partition.name != step.partition) continue;
    if (partition.state == ObjectState::kCreated) {
      begun = source;
    } else if (object->partition_drops.contains(source)) {
      return false;  // an older one of that name first
    }
  }
  const auto known = object->record->partitions.find(begun);
  if (known != object->record->partitions.end() && known->second == 0) {
    ApplyStep(object, step, false);
    return true;
  }
  object->record->partitions[begun] = 0;
  Persist(object, [this, step](Object* o) { ApplyStep(o, step, false); });
  return true;
}

void Reconciler::Poll(Object* object) {
  if (object->polling) return;
  object->polling = true;
  executor_->PostAfter(options_.poll_interval, alive_.Guard([this, id = object->id] {
    Object* polled = Find(id);
    if (polled == nullptr) return;
    polled->polling = false;
    if (polled->busy) return;  // the end of that looks again
    polled->described = false;
    Step(id);
  }));
}

// Looks again at collections that rows went to: somebody may have changed them on the target.
void Reconciler::ScheduleVerify() {
  executor_->PostAfter(options_.verify_interval, alive_.Guard([this] {
    std::vector<CollectionId> due;
    for (auto& [id, object] : objects_) {
      const bool again = !object.refused.empty();
      if (object.phase != ObjectPhase::kReady || object.busy || !(object.touched || again))
        continue;
      object.touched = false;
      object.refused.clear();
      if (again) host_->SetTrouble(Format("refused {}", id), nullptr);
      object.described = false;
      due.push_back(id);
    }
    for (const CollectionId id : due) Kick(id);
    ScheduleVerify();
  }));
}

// ---- rename -----------------------------------------------------------------------------------

// True when a rename is under way.
bool Reconciler::RunRename(Object* object) {
  const auto let_rows_flow = [&] {
    if (object->phase != ObjectPhase::kQuiet) return;
    object->phase = ObjectPhase::kReady;
    host_->ResumeChannels();
  };
  if (object->record->name == object->name) {
    let_rows_flow();
    return false;
  }
  if (!MayChange(object)) {
    object->phase = ObjectPhase::kQuiet;  // rows written after the rename shall not be seen before
    return true;
  }
  TargetName next = object->name;
  if (const Object* holder = HolderOf(next, object->id)) {
    const bool holder_moves = holder->record->name != holder->name && !holder->dropped_at_source;
    const bool parked = object->record->name == object->SwapName();
    // Rows flow under the present name meanwhile: a drop that frees the other may wait for them.
    if (!holder_moves || parked || object->id > holder->id) {
      // It may have looked before this one was known to move.
      if (holder_moves && !parked) Kick(holder->id);
      let_rows_flow();
      return false;
    }
    next = object->SwapName();
  }
  if (next.database != object->record->name.database && !object->actual->aliases.empty()) {
    DropFirstAlias(object);  // refused while it has aliases; the source's had none either
    return true;
  }
  object->phase = ObjectPhase::kQuiet;
  if (object->in_flight > 0) return true;  // kicked by the last acknowledgement
  RenameTo(object, std::move(next));
  return true;
}

void Reconciler::RenameTo(Object* object, TargetName name) {
  object->busy = true;
  ObjectRecord record = *object->record;
  record.moving_to = name;
  SetRecord(object, std::move(record));  // at once: no other may take the name
  object->unrecorded = true;
  EnsureDatabase(
      name.database, WithObject(object->id, [this, name](Object* o, const Status& status) {
        if (!status.ok()) {
          RetryLater(o, "create database " + name.database, status.error());
          return;
        }
        // Recorded first: after a crash it is looked for under both names.
        Persist(o, [this](Object* moving) {
          DdlStep step;
          step.kind = DdlStep::Kind::kRenameCollection;
          step.name = moving->record->name;
          step.new_name = moving->record->moving_to;
          moving->busy = true;
          ApplyOnTarget(step,
                        WithObject(moving->id, [this, step](Object* renamed, const Status& result) {
                          renamed->described = false;
                          if (!result.ok()) {
                            RetryLater(renamed, ToString(step), result.error());
                            return;
                          }
                          ObjectRecord record = *renamed->record;
                          record.name = step.new_name;
                          record.moving_to = {};
                          SetRecord(renamed, std::move(record));
                          // The name is free, whether this can be recorded at once or not.
                          KickAll();
                          Persist(renamed, [this](Object* recorded) { Step(recorded->id); });
                        }));
        });
      }));
}

}  // namespace cdc
