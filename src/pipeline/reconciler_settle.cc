// No change of the target's metadata is begun while an older one may still be travelling: one of an
// earlier life, or one whose outcome is unknown. Landing late, it could make an object a second
// time, take a name that was given away, or drop what was made anew.
#include <algorithm>
#include <utility>

#include "pipeline/reconciler.h"

namespace cdc {

// Every change of the target's metadata goes through here, so that a stop can wait for those under
// way: one that arrived after the next life has begun could undo what that did.
void Reconciler::ApplyOnTarget(DdlStep step, Callback<Status> done) {
  if (halted_) return;
  ++changes_in_flight_;
  admin_->Apply(std::move(step), alive_.Guard([this, done = std::move(done)](Status status) {
    --changes_in_flight_;
    if (!status.ok() && status.error().kind == ErrorKind::kUnknownOutcome) Settle();
    done(std::move(status));
  }));
}

// The target has answered, and the settle time has passed since: what was held up on the way moves
// with the answer, and had that time to be carried out.
void Reconciler::Settle() {
  settled_ = false;
  ++settles_wanted_;
  if (settling_) return;
  settling_ = true;
  admin_->ListDatabases(alive_.Guard([this, wanted = settles_wanted_](const auto& listed) {
    settling_ = false;
    if (!listed.ok()) {
      const Duration wait = settle_backoff_.Next();
      const Error error = listed.error().RetriedIn(wait);
      host_->SetTrouble("target", &error);
      settling_ = true;
      executor_->PostAfter(wait, alive_.Guard([this] {
        settling_ = false;
        Settle();
      }));
      return;
    }
    host_->SetTrouble("target", nullptr);
    settle_backoff_.Reset();
    settling_ = true;
    executor_->PostAfter(options_.settle, alive_.Guard([this, wanted] { OnSettled(wanted); }));
  }));
}

void Reconciler::OnSettled(uint64_t wanted) {
  settling_ = false;
  if (wanted != settles_wanted_) {  // another unknown outcome meanwhile
    Settle();
    return;
  }
  settled_ = true;
  for (const CollectionId id : std::exchange(waiting_to_settle_, {})) Kick(id);
  for (const std::string& name : std::exchange(databases_to_settle_, {})) MakeDatabase(name);
  DropEmptyDatabases();
}

// May the next step about this object be made, from what was last seen of it? If not, it is kicked
// again when it can be.
bool Reconciler::MayChange(Object* object) {
  if (!settled_) {
    waiting_to_settle_.insert(object->id);
    return false;
  }
  if (object->looked_after == settles_wanted_) return true;
  object->described = false;  // seen when something could still change it
  Kick(object->id);
  return false;
}

// A description says nothing about an object for which a change may still land: what the record
// only intends may be there a moment later.
bool Reconciler::MayLook(Object* object) {
  object->looked_after = settled_ ? settles_wanted_ : 0;
  if (settled_ || !object->record) return true;
  const ObjectRecord& record = *object->record;
  if (record.target_id != 0 && record.moving_to.collection.empty()) return true;
  waiting_to_settle_.insert(object->id);
  return false;
}

}  // namespace cdc
