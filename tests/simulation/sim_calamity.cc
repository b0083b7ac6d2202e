// What no replication can get over by itself, and what must hold all the same.
#include <algorithm>

#include "simulation.h"

namespace cdc::sim {

const char* ToString(Calamity calamity) {
  switch (calamity) {
    case Calamity::kNone:
      return "none";
    case Calamity::kLogTruncated:
      return "log_truncated";
    case Calamity::kEtcdWiped:
      return "etcd_wiped";
    case Calamity::kKeyLost:
      return "key_lost";
    case Calamity::kOperatorDrop:
      return "operator_drop";
  }
  return "";
}

void Simulation::Strike() {
  if (healed_) return;
  report_.Trace("---- {}", ToString(plan_.calamity));
  switch (plan_.calamity) {
    case Calamity::kNone:
      return;
    case Calamity::kLogTruncated:
      log_.Truncate();
      return;
    case Calamity::kEtcdWiped:
      plan_.source_faults.etcd_wiped = true;
      for (Task& task : tasks_) {
        task.knew_source = store_.Load(task.id).source.has_value();
        if (task.feed != nullptr) task.feed->Relist();
      }
      return;
    case Calamity::kKeyLost:
      for (const auto& [id, state] : target_.collections()) {
        if (state.source_id == 0 || !source_.Get(state.source_id).meta.IsLive()) continue;
        plan_.source_faults.lost_key = state.source_id;
        break;
      }
      for (const Task& task : tasks_) {
        if (task.feed != nullptr) task.feed->Relist();
      }
      return;
    case Calamity::kOperatorDrop:
      for (const auto& [id, state] : target_.collections()) {
        if (state.source_id == 0) continue;
        if (!source_.Get(state.source_id).meta.IsLive()) continue;  // nothing more comes for it
        struck_ = TaskOf(state.source_id);
        target_.DropByOperator(id);
        // Rows for it are under way, and for all that shares its lanes.
        for (const CollectionId live : source_.Live()) {
          source_.Insert(live, source_.Get(live).meta.partitions.begin()->first, 5);
        }
        return;
      }
      executor_.PostAfter(std::chrono::milliseconds(200), [this] { Strike(); });  // nothing yet
  }
}

void Simulation::OnFailed(Task* task, const Error& error) {
  bool expected = false;
  if (plan_.calamity == Calamity::kLogTruncated) {
    expected = error.kind == ErrorKind::kPositionGone && !log_.told_gone().empty();
  }
  if (plan_.calamity == Calamity::kEtcdWiped) expected = error.kind == ErrorKind::kSourceReplaced;
  if (plan_.calamity == Calamity::kOperatorDrop) expected = task == struck_;
  if (!expected) {
    report_.Violation("{} failed: {}", task->id, error.message);
    return;
  }
  report_.Trace("---- {} failed: {}", task->id, error.message);
  task->failed = error.message;
  StopTask(task, [] {});
}

// "": as it must be.
std::string Simulation::CheckCalamity() const {
  const bool failed = std::any_of(tasks_.begin(), tasks_.end(),
                                  [](const Task& task) { return !task.failed.empty(); });
  if (plan_.calamity == Calamity::kEtcdWiped && plan_.source_faults.etcd_wiped) {
    for (const Task& task : tasks_) {  // drops of living objects are violations anyway
      if (task.knew_source && task.failed.empty())
        return task.id + " takes another etcd for its own";
    }
    return "";
  }
  if (plan_.calamity == Calamity::kLogTruncated && !log_.told_gone().empty()) {
    if (!failed) return "the log no longer holds a position, and no task failed";
    if (tasks_.size() > 1) return "";
    for (size_t seq = 0; seq < source_.messages().size(); ++seq) {
      const MessageInfo& info = source_.messages()[seq];
      const auto gone = log_.told_gone().find(info.pchannel);
      if (gone == log_.told_gone().end() || PhysicalMillis(info.ts) <= gone->second) continue;
      if (target_.IsApplied(seq)) return Format("message {} behind the gap was applied", seq);
    }
    return "";
  }
  if (const CollectionId lost = plan_.source_faults.lost_key; lost != 0) {
    const auto& records = store_.Load(TaskOf(lost)->id).objects;
    const auto record = records.find(lost);
    const bool ours = record != records.end() && record->second.target_id != 0;
    if (!source_.Get(lost).meta.IsLive() || !ours) return "";
    const bool there = std::any_of(target_.collections().begin(), target_.collections().end(),
                                   [&](const auto& e) { return e.second.source_id == lost; });
    if (!there) return "a collection whose key was lost is gone from the target";
    const Task& task = *TaskOf(lost);
    if (!task.running) return task.id + " is not running";
    return task.running->Status().warning ? "" : task.id + " says nothing of a key that was lost";
  }
  return Difference();
}

}  // namespace cdc::sim
