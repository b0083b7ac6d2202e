#include "sim_store.h"

#include <algorithm>
#include <utility>

namespace cdc::sim {

namespace {

// What a write is about, for the fault points; the rarest thing in it.
std::string NameOf(const ProgressWrite& write) {
  if (!write.forgotten_databases.empty()) return "store database forgotten";
  if (!write.databases.empty()) return "store database";
  if (!write.forgotten_objects.empty()) return "store object forgotten";
  for (const ObjectRecord& object : write.objects) {
    if (object.target_id == 0) return "store object intended";
    if (!object.moving_to.collection.empty()) return "store rename intended";
    for (const auto& [source, target] : object.partitions) {
      if (target == 0) return "store partition intended";
    }
  }
  if (!write.objects.empty()) return "store object";
  if (write.source) return "store source identity";
  if (!write.lanes.empty()) return "store lane fence";
  return "store checkpoint";
}

}  // namespace

void SimStore::Commit(ProgressWrite write, Callback<Status> done) {
  Pending pending{std::move(write), std::move(done), random_.Chance(faults_->error)};
  points_->At(NameOf(pending.write) + ": called");
  pending_.push_back(std::move(pending));
  const Duration wait =
      random_.Chance(faults_->slow) ? random_.Millis(50, 800) : random_.Millis(0, 15);
  const TimePoint due = std::max(last_due_, executor_->Now() + wait);
  last_due_ = due;
  executor_->PostAfter(due - executor_->Now(), [this, life = life_] {
    if (life == life_) FinishFirst();
  });
}

void SimStore::FinishFirst() {
  Pending first = std::move(pending_.front());
  pending_.pop_front();
  if (first.fails) {
    first.done(RetryError("simulated: the store is busy"));
    return;
  }
  Apply(first.write);
  points_->At(NameOf(first.write) + ": landed");
  // Durable is not yet known to be durable.
  executor_->PostAfter(random_.Millis(0, 3), [life = life_, this, name = NameOf(first.write),
                                              done = std::move(first.done)] {
    if (life != life_) return;
    points_->At(name + ": answered");
    done(OkStatus());
  });
}

void SimStore::Crash() {
  ++life_;
  for (size_t keep = random_.Below(pending_.size() + 1); keep > 0; --keep) {
    if (!pending_.front().fails) Apply(pending_.front().write);
    pending_.pop_front();
  }
  pending_.clear();
}

void SimStore::Apply(const ProgressWrite& write) {
  for (const LaneFence& lane : write.lanes) lanes_[lane.lane] = lane.fence;
  if (!write.task.empty()) {
    TaskProgress& task = tasks_.at(write.task);
    for (const ChannelCheckpoint& channel : write.channels)
      task.channels[channel.channel] = channel;
    if (write.operations) task.operations = write.operations;
    for (const ObjectRecord& object : write.objects) {
      task.objects[object.source_id] = object;
      for (const auto& [source, target] : object.partitions) {
        const Timestamp now = ComposeTimestamp(executor_->WallMillis());
        if (target != 0) recorded_.try_emplace({object.source_id, source}, now);
      }
    }
    for (const CollectionId id : write.forgotten_objects) task.objects.erase(id);
    for (const DatabaseRecord& database : write.databases) {
      task.databases[database.source_id] = database;
    }
    for (const DatabaseId id : write.forgotten_databases) task.databases.erase(id);
    if (write.source) task.source = write.source;
    if (write.rbac) task.rbac = write.rbac;
  }
  Check();
}

std::optional<Timestamp> SimStore::RecordedAt(CollectionId collection,
                                              PartitionId partition) const {
  const auto it = recorded_.find({collection, partition});
  if (it == recorded_.end()) return std::nullopt;
  return it->second;
}

void SimStore::OnSentChange(const std::string& task, const std::string& channel, Timestamp ts) {
  Timestamp& sent = sent_[{task, channel}];
  sent = std::max(sent, ts);
  Check();
}

void SimStore::OnSentStamp(const std::string& lane, Timestamp stamp) {
  Timestamp& sent = stamped_[lane];
  sent = std::max(sent, stamp);
  Check();
}

void SimStore::Check() {
  for (const auto& [key, ts] : sent_) {
    const auto& channels = tasks_.at(key.first).channels;
    const auto it = channels.find(key.second);
    if (it == channels.end() || it->second.fence < ts) {
      report_->Violation("fence: a change of ts {} of task {} channel {} was sent, durable is {}",
                         ts, key.first, key.second, it == channels.end() ? 0 : it->second.fence);
    }
  }
  for (const auto& [lane, stamp] : stamped_) {
    const auto it = lanes_.find(lane);
    if (it == lanes_.end() || it->second < stamp) {
      report_->Violation("fence: stamp {} was sent on lane {}, durable is {}", stamp, lane,
                         it == lanes_.end() ? 0 : it->second);
    }
  }
}

}  // namespace cdc::sim
