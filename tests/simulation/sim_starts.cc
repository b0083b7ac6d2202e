// Tasks that do not begin at the end of the log: where each collection begins, what a backup has
// brought to the target, and which rows must be there in the end.
#include <algorithm>
#include <utility>

#include "simulation.h"

namespace cdc::sim {

// Users were there before the task, and are quiet while it is made: which of two changes of one
// key, written at that very moment, still counts is nobody's promise.
void Simulation::WritePast() {
  workload_.Start();
  (void)RunFor(std::chrono::seconds(2));
  workload_.Stop();
  (void)RunFor(std::chrono::seconds(1));
}

// As a consumer's checkpoint in Milvus is: everything up to the time of a tick has been read, and
// nothing that is later stands before the message.
StartPoint Simulation::SomeCheckpoint(int pchannel) {
  const std::vector<Change>& log = source_.LogOf(pchannel);
  std::vector<size_t> ticks;
  for (size_t i = 0; i < log.size(); ++i) {
    if (log[i].kind == ChangeKind::kTimeTick) ticks.push_back(i);
  }
  if (ticks.empty()) return {};
  const size_t tick = ticks[random_.Below(ticks.size())];
  LogId first = log[tick].id;
  for (size_t i = 0; i < tick; ++i) {
    const bool row = log[i].kind == ChangeKind::kInsert || log[i].kind == ChangeKind::kDelete;
    if (row && log[i].ts > log[tick].ts) first = std::min(first, log[i].id);
  }
  return {{LogPosition::Kind::kAt, first}, log[tick].ts};
}

void Simulation::ChooseStarts() {
  for (int i = 0; i < plan_.source.pchannels; ++i) {
    const size_t end = source_.LogOf(i).size();
    ends_at_start_.push_back(end);
    if (end == 0) continue;
    for (Task& task : tasks_) {
      task.start.others[SimSource::PchannelName(i)] = {LogPosition::Kind::kAfter, {0, end}};
    }
  }
  for (Task& task : tasks_) task.start.made_ts = ComposeTimestamp(executor_.WallMillis());
  for (const CollectionId id : source_.Live()) {
    const ModelCollection& model = source_.Get(id);
    existed_.insert(id);
    if (model.meta.name == "skip") continue;
    TaskStart& start = const_cast<Task*>(TaskOf(id))->start;
    enum { kNow, kCreation, kPosition, kBackup };
    const uint64_t how = random_.Below(4);
    if (how == kNow) continue;
    for (const int pchannel : model.pchannels) {
      const std::string name = SimSource::PchannelName(pchannel);
      StartPoint& point = start.collections[id][name];
      point = SomeCheckpoint(pchannel);
      if (how != kCreation) continue;
      point.from = {LogPosition::Kind::kAt, *log_.DecodeId(model.meta.start_positions.at(name))};
      point.after_ts = 0;
    }
    if (how != kBackup || model.meta.db_id != 1) continue;
    report_.Trace("restored from a backup: {} id {}", model.meta.name, id);
    target_.Restore(TaskOf(id)->selection.Map(kDefaultDatabase, model.meta.name), model);
    start.adopted.insert(id);
  }
}

// Names must not change before what they name has been taken over.
void Simulation::StartWorkload() {
  bool waiting = false;
  for (const Task& task : tasks_) {
    const auto& records = store_.Load(task.id).objects;
    for (const CollectionId id : task.start.adopted) waiting = waiting || !records.contains(id);
  }
  workload_.SetRowsOnly(waiting);
  if (waiting) executor_.PostAfter(kProbeInterval, [this] { StartWorkload(); });
}

bool Simulation::Counts(const MessageInfo& info) const {
  const TaskStart& start = TaskOf(info.collection)->start;
  const auto points = start.collections.find(info.collection);
  if (points == start.collections.end()) {
    return info.position > ends_at_start_[static_cast<size_t>(info.pchannel)];
  }
  const StartPoint& point = points->second.at(SimSource::PchannelName(info.pchannel));
  const bool from_there =
      point.from.kind == LogPosition::Kind::kEarliest || info.position >= point.from.id.minor;
  return from_there && info.ts > point.after_ts;
}

std::vector<Simulation::WantedRow> Simulation::WantedRows(const ModelCollection& model) const {
  std::vector<WantedRow> rows;
  const TaskStart& start = TaskOf(model.meta.id)->start;
  if (!existed_.contains(model.meta.id) || start.adopted.contains(model.meta.id)) {
    for (const auto& [partition, all] : model.rows) {
      for (const auto& [key, uid] : all) rows.push_back({partition, key, uid});
    }
    return rows;
  }
  std::vector<const MessageInfo*> counted;
  for (const uint64_t seq : model.messages) {
    const MessageInfo& info = source_.messages()[seq];
    if (info.position != 0 && Counts(info)) counted.push_back(&info);
  }
  std::stable_sort(counted.begin(), counted.end(), [](const auto* a, const auto* b) {
    const auto key = [](const MessageInfo& info) {
      return std::pair(info.ts, info.kind == ChangeKind::kDelete ? 0 : 1);
    };
    return key(*a) < key(*b);
  });
  for (const MessageInfo* info : counted) {
    const Change& change = source_.LogOf(info->pchannel)[info->position - 1];
    for (const Row& row : DecodeRows(change.payload.bytes).rows) {
      if (info->kind == ChangeKind::kInsert) {
        rows.push_back({info->partition, row.key, row.uid});
        continue;
      }
      std::erase_if(rows, [&](const WantedRow& there) {
        return there.key == row.key &&
               (info->partition == kAllPartitions || info->partition == there.partition);
      });
    }
  }
  std::erase_if(rows, [&](const WantedRow& row) {
    const auto partition = model.meta.partitions.find(row.partition);
    return partition == model.meta.partitions.end() ||
           partition->second.state != ObjectState::kCreated;
  });
  return rows;
}

}  // namespace cdc::sim
