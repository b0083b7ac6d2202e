// The Reconciler's steps on the target: describe, create, rename, drop, and whatever the planner
// says.
#include <algorithm>
#include <memory>
#include <utility>

#include "base/format.h"
#include "pipeline/reconciler.h"

namespace cdc {
namespace {

std::string Text(const TargetName& name) {
  return name.database + "." + name.collection;
}

// Where a collection waits while two of them swap names. Derived from the id, so that it is found
// again after a crash.
TargetName SwapName(const Object& object) {
  return {object.name.database, Format("cdc_swap_{}", object.id)};
}

std::string TroubleKey(const Object& object) {
  return Format("object {}", object.id);
}

// The names under which an object of ours may be found, in the order of trying.
std::vector<TargetName> Candidates(const Object& object) {
  std::vector<TargetName> names;
  if (object.record) names.push_back(object.record->name);
  const TargetName moving_to = object.record ? object.record->moving_to : TargetName();
  for (const TargetName& name : {moving_to, object.name, SwapName(object)}) {
    if (name.collection.empty()) continue;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  if (!object.record) names = {object.parked ? SwapName(object) : object.name};
  return names;
}

}  // namespace

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
    DescribeObject(object);
    return;
  }
  if (!object->actual) {
    if (object->dropped_at_source) {
      FinishDrop(object);  // intended, never made
    } else if (object->want && object->want->IsLive()) {
      CreateObject(object);
    }
    return;
  }
  if (object->phase == ObjectPhase::kPending) MakeReady(object);
  if (object->phase == ObjectPhase::kQuiet && object->dropped_at_source) {
    object->phase = ObjectPhase::kReady;  // not renamed any more; its rows up to the drop may flow
    host_->ResumeChannels();
  }
  if (object->drop && object->drop->Complete() && object->in_flight == 0) {
    RunDrop(object);
    return;
  }
  if (RunPartitionDrop(object)) return;
  if (object->dropped_at_source || object->vanished || !object->want) return;
  if (RunRename(object)) return;
  RunPlanned(object);
}

// ---- whose is it ------------------------------------------------------------------------------

const Object* Reconciler::HolderOf(const TargetName& name, CollectionId except) const {
  for (const auto& [id, object] : objects_) {
    if (id == except || !object.record) continue;
    if (object.record->name == name || object.record->moving_to == name) return &object;
  }
  return nullptr;
}

const Object* Reconciler::OwnerOf(CollectionId target_id, CollectionId except) const {
  for (const auto& [id, object] : objects_) {
    if (id != except && object.record && object.record->target_id == target_id) return &object;
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
                          holder->id, object->id, Text(name)));
    host_->SetTrouble(TroubleKey(*object), &error);
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

void Reconciler::DescribeObject(Object* object) {
  const TargetName name = Candidates(*object).front();
  if (!object->record && WaitsForName(object, name)) return;  // kicked when it is free
  object->busy = true;
  admin_->Describe(name, WithObject(object->id, [this, name](Object* o, auto found) {
                     if (!found.ok()) {
                       RetryLater(o, "describe " + Text(name), found.error());
                       return;
                     }
                     OnDescribed(o, *std::move(found), name);
                   }));
}

bool Reconciler::IsOurs(const Object& object, const TargetCollection& found) const {
  const bool same_birth = options_.mode == TargetMode::kReplicate && object.want &&
                          found.created_ts == object.want->create_ts;
  if (!object.record) return same_birth;  // made by an earlier life whose records are lost
  if (object.record->target_id != 0) return found.id == object.record->target_id;
  // We were about to create it, and nothing stood there then.
  if (options_.mode == TargetMode::kReplicate) return found.created_ts == object.record->created_ts;
  if (found.name != object.record->name || OwnerOf(found.id, object.id) != nullptr) return false;
  return !object.want || SchemaDifference(object.want->schema, found.schema, true).empty();
}

void Reconciler::OnDescribed(Object* object, std::optional<TargetCollection> found,
                             TargetName asked) {
  host_->SetTrouble(TroubleKey(*object), nullptr);
  if (found && IsOurs(*object, *found)) {
    Own(object, *std::move(found));
    return;
  }
  if (found && !object->record) {
    if (OwnerOf(found->id, object->id) != nullptr || HolderOf(asked, object->id) != nullptr) {
      // One of ours, renamed or just made and not described since: it will move on.
      executor_->PostAfter(std::chrono::milliseconds(200),
                           alive_.Guard([this, id = object->id] { Step(id); }));
      return;
    }
  }
  const std::vector<TargetName> names = Candidates(*object);
  const auto at = std::find(names.begin(), names.end(), asked);
  if (at != names.end() && at + 1 != names.end()) {
    object->busy = true;
    const TargetName next = *(at + 1);
    admin_->Describe(next, WithObject(object->id, [this, next](Object* o, auto again) {
                       if (!again.ok()) {
                         RetryLater(o, "describe " + Text(next), again.error());
                         return;
                       }
                       OnDescribed(o, *std::move(again), next);
                     }));
    return;
  }
  if (object->OnTarget()) {  // it was ours and is nowhere
    if (object->dropped_at_source) {
      FinishDrop(object);
      return;
    }
    host_->Fail(FatalError(Format(
        "collection {} (id {}) of this task is gone from the target or was replaced by another; "
        "somebody else dropped it there. Delete this task and create it again to copy it anew",
        Text(object->record->name), object->record->target_id)));
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
  const bool api = options_.mode == TargetMode::kApi;
  std::string difference = SchemaDifference(object->want->schema, found.schema, api);
  if (options_.mode == TargetMode::kReplicate &&
      found.vchannels.size() != object->want->vchannels.size()) {
    difference += Format("shards: {} at the source, {} at the target\n",
                         object->want->vchannels.size(), found.vchannels.size());
  }
  if (options_.adopt && difference.empty()) {
    Own(object, std::move(found));
    return;
  }
  std::string message = Format("collection {} exists on the target and was not made by this task",
                               Text(object->name));
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
                          Text(found.name), record.pchannels.size(), found.vchannels.size())));
    return;
  }
  if (!OwnPartitions(object, &record, found)) {
    host_->Fail(
        FatalError(Format("a partition of collection {} was dropped on the target by "
                          "somebody else; delete this task and create it again",
                          Text(found.name))));
    return;
  }
  const bool changed = object->unrecorded || !object->record || *object->record != record;
  const bool moved = object->record && (object->record->name != record.name ||
                                        object->record->moving_to != record.moving_to);
  object->record = std::move(record);
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
    if (want != object->want->partitions.end() && want->second.state == ObjectState::kCreated) {
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
                 RetryLater(o, "record " + Text(o->record->name), status.error());
               }));
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
  TargetName name = object->parked ? SwapName(*object) : object->name;
  if (object->record) name = object->record->name;
  if (WaitsForName(object, name)) return;  // kicked when it is free
  object->busy = true;
  const CollectionId id = object->id;
  EnsureDatabase(name.database, WithObject(id, [this, name](Object* o, const Status& status) {
                   if (!status.ok()) {
                     RetryLater(o, "create database " + name.database, status.error());
                     return;
                   }
                   if (!o->want || !o->want->IsLive() || HolderOf(name, o->id) != nullptr) {
                     Step(o->id);
                     return;
                   }
                   o->record =
                       ObjectRecord{o->id, name, 0, o->want->create_ts, o->want->pchannels, {}, {}};
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

// Every change of the target's metadata goes through here, so that a stop can wait for those under
// way: one that arrived after the next life has begun could undo what that did.
void Reconciler::ApplyOnTarget(DdlStep step, Callback<Status> done) {
  if (halted_) return;
  ++changes_in_flight_;
  admin_->Apply(std::move(step), alive_.Guard([this, done = std::move(done)](Status status) {
    --changes_in_flight_;
    done(std::move(status));
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
    host_->SetTrouble(TroubleKey(*object), nullptr);
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
  const Error trouble = error.Prefixed(what);
  host_->SetTrouble(TroubleKey(*object), &trouble);
  object->busy = true;  // nothing else may hurry past the waiting time
  executor_->PostAfter(object->backoff.Next(),
                       WithObject(object->id, [this](Object* o) { Step(o->id); }));
}

PlanContext Reconciler::ContextFor(const Object& object) const {
  PlanContext context;
  context.load = options_.load;
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
  std::optional<DdlStep> step = NextStep(*object->want, *object->actual, ContextFor(*object));
  if (!step) {
    if (object->actual->loading) {
      Poll(object->id);
    } else {
      object->load_settled = true;
    }
    return false;
  }
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

void Reconciler::Poll(CollectionId id) {
  executor_->PostAfter(options_.poll_interval, alive_.Guard([this, id] {
    Object* object = Find(id);
    if (object == nullptr || object->busy) return;
    object->described = false;
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
  TargetName next = object->name;
  if (const Object* holder = HolderOf(next, object->id)) {
    const bool holder_moves = holder->record->name != holder->name && !holder->dropped_at_source;
    const bool parked = object->record->name == SwapName(*object);
    // Rows flow under the present name meanwhile: a drop that frees the other may wait for them.
    if (!holder_moves || parked || object->id > holder->id) {
      // It may have looked before this one was known to move.
      if (holder_moves && !parked) Kick(holder->id);
      let_rows_flow();
      return false;
    }
    next = SwapName(*object);
  }
  object->phase = ObjectPhase::kQuiet;
  if (object->in_flight > 0) return true;  // kicked by the last acknowledgement
  RenameTo(object, std::move(next));
  return true;
}

void Reconciler::RenameTo(Object* object, TargetName name) {
  object->busy = true;
  object->record->moving_to = name;  // at once: no other may take the name
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
                          renamed->record->name = step.new_name;
                          renamed->record->moving_to = {};
                          Persist(renamed, [this](Object* recorded) {
                            KickAll();
                            Step(recorded->id);
                          });
                        }));
        });
      }));
}

// ---- drop -------------------------------------------------------------------------------------

void Reconciler::RunDrop(Object* object) {
  if (!drops_suspended_.empty()) return;
  if (options_.drops == DropPolicy::kHold || !object->OnTarget()) {
    FinishDrop(object);
    return;
  }
  object->phase = ObjectPhase::kDropping;
  object->busy = true;
  // Look once more: only the very collection that is ours may be dropped.
  admin_->Describe(object->record->name, WithObject(object->id, [this](Object* o, auto found) {
                     if (!found.ok()) {
                       RetryLater(o, "drop collection " + Text(o->record->name), found.error());
                       return;
                     }
                     if (!*found || (*found)->id != o->record->target_id) {
                       FinishDrop(o);
                       return;
                     }
                     o->actual = **std::move(found);
                     if (!o->actual->aliases.empty()) {  // refused while it has aliases
                       DdlStep step;
                       step.kind = DdlStep::Kind::kDropAlias;
                       step.name = o->record->name;
                       step.alias = *o->actual->aliases.begin();
                       ApplyStep(o, std::move(step), false);
                       return;
                     }
                     DropOnTarget(o);
                   }));
}

void Reconciler::DropOnTarget(Object* object) {
  const CollectionId id = object->id;
  const Timestamp ts = std::max(object->drop->ts(), lanes_->AckedTick());
  object->busy = true;
  InjectDrops(object, ChangeKind::kDropCollection, kAllPartitions, ts, alive_.Guard([this, id, ts] {
    Object* o = Find(id);
    if (o == nullptr) return;
    DdlStep step;
    step.kind = DdlStep::Kind::kDropCollection;
    step.name = o->record->name;
    step.ts = ts;
    ApplyOnTarget(step, WithObject(id, [this, step](Object* dropped, const Status& status) {
                    if (!status.ok()) {
                      RetryLater(dropped, ToString(step), status.error());
                      return;
                    }
                    FinishDrop(dropped);
                  }));
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
                   RetryLater(o, "forget " + Text(o->name), status.error());
                   return;
                 }
                 Erase(o->id);
               }));
}

// True when a partition drop is under way.
bool Reconciler::RunPartitionDrop(Object* object) {
  if (!drops_suspended_.empty() || object->dropped_at_source) return false;
  for (const auto& [partition, barrier] : object->partition_drops) {
    if (!barrier.Complete() || object->in_flight_by_partition.contains(partition)) continue;
    const auto target = object->record->partitions.find(partition);
    std::string name;
    for (const auto& [target_name, id] : object->actual->partitions) {
      if (target != object->record->partitions.end() && id == target->second) name = target_name;
    }
    if (name.empty() || options_.drops == DropPolicy::kHold) {
      FinishPartitionDrop(object, partition);
    } else if (auto release = StepBeforePartitionDrop(*object->actual, name)) {
      ApplyStep(object, *std::move(release), false);
    } else {
      DropPartitionOnTarget(object, partition, name, target->second);
    }
    return true;
  }
  return false;
}

void Reconciler::DropPartitionOnTarget(Object* object, PartitionId partition,
                                       const std::string& name, PartitionId target_partition) {
  const CollectionId id = object->id;
  const Timestamp ts = std::max(object->partition_drops.at(partition).ts(), lanes_->AckedTick());
  object->busy = true;
  InjectDrops(object, ChangeKind::kDropPartition, target_partition, ts,
              alive_.Guard([this, id, partition, name, ts] {
                Object* o = Find(id);
                if (o == nullptr) return;
                DdlStep step;
                step.kind = DdlStep::Kind::kDropPartition;
                step.name = o->record->name;
                step.partition = name;
                step.ts = ts;
                ApplyOnTarget(step, WithObject(id, [this, step, partition](Object* dropped,
                                                                           const Status& status) {
                                if (!status.ok()) {
                                  RetryLater(dropped, ToString(step), status.error());
                                  return;
                                }
                                FinishPartitionDrop(dropped, partition);
                              }));
              }));
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
