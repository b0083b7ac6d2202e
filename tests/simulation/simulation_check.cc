// What must hold in a simulation: all the time, and in the end.
#include <algorithm>
#include <utility>

#include "simulation.h"

namespace cdc::sim {

void Simulation::Probe() {
  executor_.PostAfter(kProbeInterval, [this] { Probe(); });
  if (report_.failed()) return;
  for (Task& task : tasks_) {
    // Whoever begins with a wiped etcd knows of nothing.
    if (plan_.source_faults.etcd_wiped) continue;
    if (task.running && !task.stopping) CheckSafeTime(&task);
  }
  if (up_) CheckMemory();
}

// Every change up to the safe time can be read on the target.
void Simulation::CheckSafeTime(Task* task) {
  const Timestamp safe = task->running->Status().safe_ts;
  const auto& messages = source_.messages();
  for (; task->safe_checked < messages.size(); ++task->safe_checked) {
    const MessageInfo& info = messages[task->safe_checked];
    if (info.ts > safe) return;
    const ModelCollection& model = source_.Get(info.collection);
    if (info.collection == plan_.source_faults.lost_key) continue;  // who knows its partitions?
    if (!model.meta.IsLive() || TaskOf(info.collection) != task || model.meta.name == "skip")
      continue;
    if (info.partition != kAllPartitions &&
        (!model.meta.partitions.contains(info.partition) ||
         model.meta.partitions.at(info.partition).state != ObjectState::kCreated)) {
      continue;
    }
    // What the catalog had not told yet could not be waited for.
    if (info.ts <= task->feed->DeliveredAt(model.created_revision)) continue;
    if (!target_.IsReadable(task->safe_checked)) {
      report_.Violation(
          "safe time {} of {} covers message {} of ts {} of collection {}, which cannot be "
          "read\n{}",
          safe, task->id, task->safe_checked, info.ts, info.collection, Dump());
      return;
    }
  }
}

// The limit may be passed by one read and the reserve of each channel, and by what stands in the
// log before the tick that covers it.
void Simulation::CheckMemory() {
  const size_t channels = static_cast<size_t>(plan_.source.pchannels) * tasks_.size();
  const size_t biggest = sizeof(Change) + 200 + plan_.source.max_padding * 20;
  const size_t slack = channels * (plan_.memory_reserve + plan_.read_bytes + biggest);
  const size_t untick = plan_.memory_limit < (1 << 20) ? kUntickedBytes * tasks_.size() : 0;
  if (governor_->used() > plan_.memory_limit + slack + untick) {
    report_.Violation("memory: {} bytes are buffered, the limit is {}", governor_->used(),
                      plan_.memory_limit);
  }
}

std::string Simulation::CompareCollection(const ModelCollection& model,
                                          const TargetState& target) const {
  const SourceCollection& meta = model.meta;
  std::set<std::string> wanted;
  for (const auto& [id, partition] : meta.partitions) {
    if (partition.state == ObjectState::kCreated) wanted.insert(partition.name);
  }
  std::set<std::string> there;
  std::map<PartitionId, std::string> names;
  for (const auto& [name, id] : target.meta.partitions) {
    there.insert(name);
    names[id] = name;
  }
  for (const std::string& name : wanted) {
    if (!there.contains(name)) return Format("partition {} of {} is missing", name, meta.name);
  }
  for (const std::string& name : there) {
    if (!wanted.contains(name)) return Format("partition {} of {} is still there", name, meta.name);
  }
  std::multiset<std::tuple<std::string, int64_t, uint64_t>> have;
  for (const TargetRow& row : target.rows) {
    have.emplace(names[row.partition], row.key, row.uid);
    if (plan_.replicate && row.stamp > 0 && row.shard != ShardOf(row.key, meta.vchannels.size())) {
      return Format("key {} is in shard {}", row.key, row.shard);
    }
  }
  std::multiset<std::tuple<std::string, int64_t, uint64_t>> want;
  for (const WantedRow& row : WantedRows(model)) {
    want.emplace(meta.partitions.at(row.partition).name, row.key, row.uid);
  }
  for (const auto& row : want) {
    if (have.count(row) < want.count(row)) {
      return Format("{} ({}): row key {} uid {} of partition {} is missing", meta.name, meta.id,
                    std::get<1>(row), std::get<2>(row), std::get<0>(row));
    }
  }
  for (const auto& row : have) {
    if (have.count(row) > want.count(row)) {
      return Format("{} ({}): row key {} uid {} of partition {} is there {} times, not {}",
                    meta.name, meta.id, std::get<1>(row), std::get<2>(row), std::get<0>(row),
                    have.count(row), want.count(row));
    }
  }
  if (meta.aliases != target.meta.aliases) return "aliases of " + meta.name + " differ";
  if (meta.indexes.size() != target.meta.indexes.size())
    return "indexes of " + meta.name + " differ";
  if (!meta.indexes.empty() &&
      meta.indexes.begin()->second.params != target.meta.indexes[0].params) {
    return "index of " + meta.name + " differs";
  }
  // What is loaded counts; whether as a whole or partition by partition is the same thing.
  std::set<std::string> want_loaded;
  std::set<std::string> loaded = target.meta.loaded_partitions;
  if (meta.load.kind == LoadState::Kind::kCollection) want_loaded = wanted;
  for (const PartitionId id : meta.load.partitions) {
    const auto partition = meta.partitions.find(id);
    if (partition != meta.partitions.end() && wanted.contains(partition->second.name)) {
      want_loaded.insert(partition->second.name);
    }
  }
  if (target.meta.load == LoadState::Kind::kCollection) loaded = there;
  const bool nothing_named = meta.load.kind == LoadState::Kind::kPartitions && want_loaded.empty();
  if (!nothing_named && want_loaded != loaded) return "load state of " + meta.name + " differs";
  return "";
}

std::string Simulation::Difference() const {
  std::set<TargetName> expected;
  for (const auto& [id, model] : source_.collections()) {
    if (!model.meta.IsLive() || model.meta.name == "skip") continue;
    const Task& task = *TaskOf(id);
    if (!task.failed.empty()) continue;
    const TargetName name =
        task.selection.Map(source_.DatabaseName(model.meta.db_id), model.meta.name);
    expected.insert(name);
    const TargetState* target = target_.FindByName(name);
    if (target == nullptr) return Format("{}.{} is missing", name.database, name.collection);
    if (target->source_id != id) {
      return Format("{}.{} is made from {}, not {}", name.database, name.collection,
                    target->source_id, id);
    }
    std::string difference = CompareCollection(model, *target);
    if (!difference.empty()) return difference;
  }
  bool all_run = true;
  for (const Task& task : tasks_) all_run = all_run && task.failed.empty();
  bool stranger = false;
  for (const auto& [id, state] : target_.collections()) {
    if (state.source_id == 0) {
      stranger = true;
      continue;
    }
    if (!TaskOf(state.source_id)->failed.empty()) continue;
    if (!expected.contains(state.meta.name)) {
      return Format("{}.{} (of {}) is still there", state.meta.name.database,
                    state.meta.name.collection, state.source_id);
    }
  }
  std::set<std::string> databases;
  for (const auto& [id, database] : source_.databases()) {
    const bool second = tasks_.size() > 1 && database.name == "b0";
    databases.insert(tasks_[second ? 1 : 0].selection.MapDatabase(database.name));
  }
  if (!stranger) return "somebody else's collection is gone";
  if (all_run && databases != target_.databases()) return "databases differ";
  for (const Task& task : tasks_) {
    if (!task.failed.empty()) continue;
    if (!task.running) return task.id + " is not running";
    const ReplicationStatus status = task.running->Status();
    const bool nothing_yet =
        status.collection_count == 0 && status.reason.starts_with("selection:");
    if (status.warning && !nothing_yet) return task.id + " warns: " + status.reason;
    if (status.lag_ms > 1500) return Format("{} lags {} ms", task.id, status.lag_ms);
  }
  return "";
}

std::string Simulation::Dump() const {
  std::string out;
  for (const Task& task : tasks_) {
    if (!task.running) continue;
    const ReplicationStatus status = task.running->Status();
    out += Format("{}: safe {} lag {} warning '{}' inserted {} deleted {}\n", task.id,
                  status.safe_ts, status.lag_ms, status.reason, status.counters.rows_inserted,
                  status.counters.rows_deleted);
    for (const ReplicatedCollection& collection : status.collections) {
      out += Format("  {} {} -> {}.{} {}\n", collection.source_id, collection.source_name,
                    collection.target.database, collection.target.collection, collection.phase);
    }
    for (const auto& [name, checkpoint] : store_.Load(task.id).channels) {
      const std::vector<Change>& log = source_.LogOf(SimSource::PchannelIndex(name));
      for (const Change& change : log) {  // what does it wait for?
        if (change.ts <= checkpoint.filter || change.kind == ChangeKind::kTimeTick) continue;
        if (change.ts > checkpoint.filter + 1) continue;
        out += Format("  waits: log id {} kind {} collection {} partition {} ts {}\n",
                      change.id.minor, static_cast<int>(change.kind), change.collection_id,
                      change.partition_id, change.ts);
      }
      out += Format("  {} seek {} filter {} fence {} end {}\n", name,
                    cdc::ToString(checkpoint.seek), checkpoint.filter, checkpoint.fence,
                    source_.LogOf(SimSource::PchannelIndex(name)).size());
    }
  }
  return out;
}

}  // namespace cdc::sim
