#include "sim_target.h"

#include <algorithm>
#include <utility>

namespace cdc::sim {

SimTarget::SimTarget(TargetOptions options, SimExecutor* executor, Random random,
                     const TargetFaults* faults, const SimSource* source, SimStore* store,
                     TaskOf task_of, FaultPoints* points, Report* report)
    : options_(options),
      executor_(executor),
      random_(random),
      faults_(faults),
      source_(source),
      store_(store),
      task_of_(std::move(task_of)),
      points_(points),
      report_(report) {}

bool SimTarget::IsReadable(uint64_t seq) const {
  const auto it = applied_.find(seq);
  if (it == applied_.end()) return false;
  if (!options_.replicate) return true;
  return lanes_.at(it->second.first).last_tick >= it->second.second;
}

void SimTarget::Crash() {
  settled_at_[life_++] = executor_->Now() + options_.settle;
  for (auto& [name, lane] : lanes_) lane.sending = false;
}

// ---- rows ---------------------------------------------------------------------------------------

// What must hold of every call, whether it arrives or not.
void SimTarget::CheckBatch(const LaneBatch& batch) {
  LaneState& lane = lanes_[batch.lane];
  if (lane.sending) report_->Violation("lane {}: two calls in flight", batch.lane);
  lane.sending = true;
  if (batch.items.empty() && batch.tick == 0) report_->Violation("lane {}: empty call", batch.lane);
  Timestamp stamp = batch.tick_before;
  for (const LaneItem& item : batch.items) {
    const Change& change = item.change;
    if (change.kind == ChangeKind::kInsert || change.kind == ChangeKind::kDelete) {
      const MessageInfo& info = source_->messages()[DecodeRows(change.payload.bytes).seq];
      store_->OnSentChange(task_of_(change.collection_id), SimSource::PchannelName(info.pchannel),
                           change.ts);
    }
    if (!options_.replicate) continue;
    if (item.stamp <= batch.tick_before || item.stamp < stamp) {
      report_->Violation("lane {}: stamp {} is not above {} (tick before {})", batch.lane,
                         item.stamp, stamp, batch.tick_before);
    }
    stamp = item.stamp;
  }
  if (!options_.replicate) return;
  if (batch.tick < stamp || batch.tick <= batch.tick_before) {
    report_->Violation("lane {}: tick {} is not above {}", batch.lane, batch.tick, stamp);
  }
  store_->OnSentStamp(batch.lane, batch.tick);
}

namespace {

// What kind of call it is, for the fault points.
std::string NameOf(const LaneBatch& batch) {
  bool rows = false;
  bool drops = false;
  bool again = false;
  for (const LaneItem& item : batch.items) {
    const bool row =
        item.change.kind == ChangeKind::kInsert || item.change.kind == ChangeKind::kDelete;
    (row ? rows : drops) = true;
    again = again || item.replay;
  }
  if (again) return "send rows again";
  if (rows) return drops ? "send rows and drops" : "send rows";
  return drops ? "send drops" : "send tick";
}

}  // namespace

void SimTarget::Send(std::shared_ptr<const LaneBatch> batch, Callback<size_t> progress,
                     Callback<SendOutcome> done) {
  ++calls_;
  points_->At(NameOf(*batch) + ": called");
  report_->Trace("target: called lane {} {} items tick {}", batch->lane, batch->items.size(),
                 batch->tick);
  CheckBatch(*batch);
  const Duration wait =
      random_.Chance(faults_->send_slow) ? random_.Millis(100, 3000) : random_.Millis(1, 15);
  enum class Fate { kFine, kNotApplied, kApplied, kPrefix, kLate };
  Fate fate = Fate::kFine;
  if (random_.Chance(faults_->send_error)) fate = static_cast<Fate>(1 + random_.Below(4));
  if (faults_->down) fate = random_.Chance(0.2) ? Fate::kLate : Fate::kNotApplied;
  const uint64_t life = life_;
  const size_t all = batch->items.size();
  const size_t landed = fate == Fate::kPrefix ? random_.Below(all + 1) : all;
  const size_t admitted = fate == Fate::kPrefix ? random_.Below(landed + 1) : 0;
  const bool told = fate == Fate::kPrefix || !random_.Chance(0.3);
  auto result = std::make_shared<SendOutcome>();
  if (fate != Fate::kFine) {
    const auto kind =
        fate == Fate::kNotApplied ? ErrorKind::kUnavailable : ErrorKind::kUnknownOutcome;
    *result = {RetryError("simulated: the call failed", kind), told ? admitted : 0};
  }
  if (fate == Fate::kFine || fate == Fate::kApplied || fate == Fate::kPrefix) {
    const Duration at =
        std::chrono::nanoseconds(random_.Below(static_cast<uint64_t>(wait.count())));
    // After a crash, a call lands while it settles, or never.
    const bool survives = random_.Chance(0.6);
    const auto land = [this, batch, life, survives, result, fate](size_t begin, size_t end) {
      if (life != life_) {
        if (!survives || executor_->Now() > settled_at_.at(life)) return false;
        (void)ApplyBatch(*batch, begin, end, Arrival::kLate);
        return false;
      }
      if (fate == Fate::kFine && !result->status.ok()) return false;
      const Status status = ApplyBatch(*batch, begin, end, Arrival::kInTime);
      points_->At(NameOf(*batch) + ": landed");
      if (!status.ok() && fate == Fate::kFine) *result = {status, begin};
      return status.ok();
    };
    // In api mode a batch becomes several calls; here, two.
    const size_t first = options_.replicate ? 0 : random_.Below(landed + 1);
    if (first > 0) {
      executor_->PostAfter(at / 2, [this, land, batch, first, progress = std::move(progress)] {
        if (!land(0, first)) return;
        report_->Trace("target: lane {} has {} items through", batch->lane, first);
        progress(first);
        points_->At(NameOf(*batch) + ": some through");
      });
    }
    executor_->PostAfter(at, [land, first, landed] { land(first, landed); });
  }
  executor_->PostAfter(wait, [this, batch, life, result, fate, done = std::move(done)] {
    if (life != life_) return;
    LaneState& lane = lanes_[batch->lane];
    lane.sending = false;
    if (fate == Fate::kLate) {
      const Duration at =
          std::chrono::nanoseconds(random_.Below(static_cast<uint64_t>(options_.settle.count())));
      lane.quiet_at = executor_->Now() + options_.settle;
      executor_->PostAfter(at, [this, batch] {
        ++late_;
        (void)ApplyBatch(*batch, 0, batch->items.size(), Arrival::kLate);
      });
    }
    report_->Trace("target: answers lane {} {} items tick {}: {}", batch->lane, batch->items.size(),
                   batch->tick, result->status.ok() ? "ok" : result->status.error().message);
    points_->At(NameOf(*batch) + (result->status.ok() ? ": answered" : ": failed"));
    done(*result);
  });
}

void SimTarget::Drain(const std::string& lane, Callback<Status> done) {
  report_->Trace("target: drain lane {}", lane);
  points_->At("drain: called");
  executor_->PostAfter(options_.settle + std::chrono::milliseconds(1),
                       [this, lane, life = life_, done = std::move(done)] {
                         if (life != life_) return;
                         points_->At("drain: answered");
                         if (random_.Chance(faults_->drain_error)) {
                           done(RetryError("simulated: not quiet yet"));
                           return;
                         }
                         done(OkStatus());
                       });
}

Status SimTarget::ApplyBatch(const LaneBatch& batch, size_t begin, size_t end, Arrival arrival) {
  if (report_->failed()) return OkStatus();
  LaneState& lane = lanes_[batch.lane];
  for (size_t i = begin; i < end; ++i) {
    const LaneItem& item = batch.items[i];
    const bool row =
        item.change.kind == ChangeKind::kInsert || item.change.kind == ChangeKind::kDelete;
    const bool known = options_.replicate ? collections_.contains(item.to->collection_id)
                                          : Find(item.to->name) != nullptr;
    if (row && !known) return FatalError("collection not found " + item.to->name.collection);
  }
  report_->Trace("target: lane {} lands {} to {} of {} items{}", batch.lane, begin, end,
                 batch.items.size(), arrival == Arrival::kLate ? " LATE" : "");
  for (size_t i = begin; i < end; ++i) {
    const LaneItem& item = batch.items[i];
    if (options_.replicate) {
      ApplyReplicateItem(batch, item, arrival);
    } else {
      ApplyApiItem(item, arrival);
    }
  }
  if (!options_.replicate || end < batch.items.size()) return OkStatus();
  if (arrival == Arrival::kInTime && batch.tick <= lane.last_tick) {
    report_->Violation("lane {}: tick {} is not above the last one, {}", batch.lane, batch.tick,
                       lane.last_tick);
  }
  lane.last_tick = std::max(lane.last_tick, batch.tick);
  return OkStatus();
}

void SimTarget::Remove(TargetState* state, const std::vector<Row>& rows, std::optional<int> shard,
                       PartitionId partition, Timestamp below) {
  std::set<int64_t> keys;
  for (const Row& row : rows) keys.insert(row.key);
  std::erase_if(state->rows, [&](const TargetRow& row) {
    return keys.contains(row.key) && row.stamp < below && (!shard || *shard == row.shard) &&
           (partition == kAllPartitions || partition == row.partition);
  });
}

void SimTarget::ApplyReplicateItem(const LaneBatch& batch, const LaneItem& item, Arrival arrival) {
  LaneState& lane = lanes_[batch.lane];
  const Change& change = item.change;
  const bool insert = change.kind == ChangeKind::kInsert;
  const Timestamp first = insert && item.replay ? item.stamp - 1 : item.stamp;
  if (arrival == Arrival::kInTime) {
    const bool together = item.stamp == lane.last_stamp && change.ts == lane.last_change_ts;
    if (first <= lane.last_tick || (first <= lane.last_stamp && !together)) {
      report_->Violation("lane {}: stamp {} is not above tick {} and stamp {}", batch.lane, first,
                         lane.last_tick, lane.last_stamp);
    }
  }
  lane.last_stamp = std::max(lane.last_stamp, item.stamp);
  lane.last_change_ts = change.ts;
  if (!insert && change.kind != ChangeKind::kDelete) return;  // a drop message
  TargetState& state = collections_.at(item.to->collection_id);
  const TargetCollection& meta = state.meta;
  const auto at = std::find(meta.vchannels.begin(), meta.vchannels.end(), item.to->vchannel);
  if (at == meta.vchannels.end()) return;  // acknowledged and lost
  const size_t place = static_cast<size_t>(at - meta.vchannels.begin());
  if (meta.pchannels[place] != batch.lane) {
    report_->Violation("lane {}: row for channel {}", batch.lane, meta.pchannels[place]);
  }
  const int shard = ShardIndex(item.to->vchannel);
  const Rows rows = DecodeRows(change.payload.bytes);
  const bool named = item.to->partition_id != kAllPartitions;
  if (named && !std::any_of(meta.partitions.begin(), meta.partitions.end(),
                            [&](const auto& p) { return p.second == item.to->partition_id; })) {
    return;  // acknowledged and lost
  }
  if (report_->tracing()) {
    std::string keys;
    for (const Row& row : rows.rows) keys += Format(" {}:{}", row.key, row.uid);
    report_->Trace("target: applies seq {} {}{} stamp {} rows{}", rows.seq,
                   insert ? "insert" : "delete", item.replay ? " again" : "", item.stamp, keys);
  }
  applied_[rows.seq] = {batch.lane, std::max(applied_[rows.seq].second, item.stamp)};
  if (item.stamp <= meta.created_ts) return;  // below the collection's beginning: skipped
  if (item.replay) ++replayed_;
  if (!insert) {
    Remove(&state, rows.rows, shard, item.to->partition_id, item.stamp);
    return;
  }
  if (item.replay) Remove(&state, rows.rows, shard, item.to->partition_id, item.stamp - 1);
  for (const Row& row : rows.rows) {
    if (ShardOf(row.key, meta.vchannels.size()) != shard) {
      report_->Violation("key {} was written to shard {} of {}", row.key, shard,
                         meta.name.collection);
    }
    state.rows.push_back({row.key, row.uid, item.stamp, item.to->partition_id, shard});
  }
}

void SimTarget::ApplyApiItem(const LaneItem& item, Arrival arrival) {
  const Change& change = item.change;
  TargetState* state = Find(item.to->name);
  if (arrival == Arrival::kInTime && state->meta.id != item.to->collection_id) {
    report_->Violation("rows for collection {} went to another one of that name",
                       item.to->name.collection);
    return;
  }
  PartitionId partition = kAllPartitions;
  if (!item.to->partition.empty()) {
    const auto it = state->meta.partitions.find(item.to->partition);
    if (it == state->meta.partitions.end()) {
      if (arrival == Arrival::kInTime) {
        report_->Violation("rows for partition {} of {}, which is not there", item.to->partition,
                           item.to->name.collection);
      }
      return;
    }
    partition = it->second;
  }
  const Rows rows = DecodeRows(change.payload.bytes);
  const Timestamp stamp = ++api_clock_;
  applied_[rows.seq] = {"", stamp};
  if (item.replay) ++replayed_;
  const bool insert = change.kind == ChangeKind::kInsert;
  if (!insert || item.replay) Remove(state, rows.rows, std::nullopt, partition, stamp);
  if (!insert) return;
  for (const Row& row : rows.rows) state->rows.push_back({row.key, row.uid, stamp, partition, 0});
}

}  // namespace cdc::sim
