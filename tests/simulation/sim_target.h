// SimTarget: a target Milvus, as TargetAdmin and DataSink of the pipeline, in either mode.
//
// replicate mode: rows are appended under the stamps they come with, nothing is de-duplicated, a
// delete removes rows of its key with a strictly lower stamp, rows count as readable once a tick
// covers them. Rows for a partition or a shard that does not exist are acknowledged and lost; rows
// for an unknown collection fail the whole call. api mode: the target stamps by arrival.
//
// Every call may be slow, fail before or after it was applied, or be applied after its failure was
// reported, up to the settle time later. What no target must ever see is a Violation.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fault_points.h"
#include "pipeline/ports.h"
#include "sim_executor.h"
#include "sim_random.h"
#include "sim_report.h"
#include "sim_rows.h"
#include "sim_source.h"
#include "sim_store.h"

namespace cdc::sim {

struct TargetFaults {
  bool down = false;
  double send_error = 0;  // of several kinds
  double send_slow = 0;
  double admin_error = 0;
  double drain_error = 0;
};

struct TargetOptions {
  bool replicate = true;
  int pchannels = 2;
  Duration settle = std::chrono::milliseconds(500);
};

struct TargetRow {
  int64_t key = 0;
  uint64_t uid = 0;
  Timestamp stamp = 0;
  PartitionId partition = 0;
  int shard = 0;
};

struct TargetState {
  TargetCollection meta;
  CollectionId source_id = 0;                 // what it was made from
  std::map<PartitionId, PartitionId> origin;  // target partition -> source partition
  std::map<PartitionId, Timestamp> made_at;   // source partition (0: all) -> source time then
  std::vector<TargetRow> rows;
  TimePoint loaded_at;
};

class SimTarget final : public TargetAdmin, public DataSink {
 public:
  // Which task a source collection belongs to.
  using TaskOf = std::function<std::string(CollectionId)>;
  SimTarget(TargetOptions options, SimExecutor* executor, Random random, const TargetFaults* faults,
            const SimSource* source, SimStore* store, TaskOf task_of, FaultPoints* points,
            Report* report);

  void ListDatabases(Callback<Result<std::vector<std::string>>> done) override;
  void Describe(TargetName name, Callback<Result<std::optional<TargetCollection>>> done) override;
  void Apply(DdlStep step, Callback<Status> done) override;
  void Send(std::shared_ptr<const LaneBatch> batch, Callback<size_t> progress,
            Callback<SendOutcome> done) override;
  void Drain(const std::string& lane, Callback<Status> done) override;

  // Our process died: nothing waits for answers any more, but calls may still land while they
  // settle.
  void Crash();
  // Makes a collection of somebody else.
  void AddStranger(const TargetName& name);
  // Somebody restores a backup that was made this very moment.
  void Restore(const TargetName& name, const ModelCollection& model);
  // Somebody drops a collection without our doing.
  void DropByOperator(CollectionId id) { collections_.erase(id); }

  const std::map<CollectionId, TargetState>& collections() const { return collections_; }
  const std::set<std::string>& databases() const { return databases_; }
  const TargetState* FindByName(const TargetName& name) const;
  // Was this message of the source applied, and can its effect be read?
  bool IsReadable(uint64_t seq) const;
  bool IsApplied(uint64_t seq) const { return applied_.contains(seq); }
  uint64_t calls() const { return calls_; }
  uint64_t replayed() const { return replayed_; }
  uint64_t late() const { return late_; }

 private:
  struct LaneState {
    bool sending = false;
    Timestamp last_tick = 0;
    Timestamp last_stamp = 0;
    Timestamp last_change_ts = 0;  // of the change with last_stamp
    TimePoint quiet_at;            // no call reported as failed lands later
  };
  enum class Arrival { kInTime, kLate };

  CollectionId NewId() { return next_id_++; }
  TargetState* Find(const TargetName& name);
  Status ApplyStep(const DdlStep& step);
  Status CreateCollection(const DdlStep& step);
  Status DropCollection(const DdlStep& step);
  Status DropPartition(const DdlStep& step);
  Status Rename(const DdlStep& step);
  Status AliasStep(const DdlStep& step);
  Status IndexOrLoadStep(const DdlStep& step);
  void CheckDropAllowed(const TargetState& state, PartitionId source_partition);
  void CheckBatch(const LaneBatch& batch);
  // Applies the items [begin, end); an error: none of them.
  Status ApplyBatch(const LaneBatch& batch, size_t begin, size_t end, Arrival arrival);
  void ApplyReplicateItem(const LaneBatch& batch, const LaneItem& item, Arrival arrival);
  void ApplyApiItem(const LaneItem& item, Arrival arrival);
  void Remove(TargetState* state, const std::vector<Row>& rows, std::optional<int> shard,
              PartitionId partition, Timestamp below);

  const TargetOptions options_;
  SimExecutor* const executor_;
  Random random_;
  const TargetFaults* const faults_;
  const SimSource* const source_;
  SimStore* const store_;
  const TaskOf task_of_;
  FaultPoints* const points_;
  Report* const report_;

  std::set<std::string> databases_{kDefaultDatabase};
  std::map<CollectionId, TargetState> collections_;
  std::map<std::string, LaneState> lanes_;
  std::map<uint64_t, std::pair<std::string, Timestamp>> applied_;  // seq -> lane, stamp
  CollectionId next_id_ = 90'000;
  Timestamp api_clock_ = 1;
  uint64_t life_ = 0;
  std::map<uint64_t, TimePoint> settled_at_;  // when the calls of an earlier life are over
  uint64_t calls_ = 0;
  uint64_t replayed_ = 0;
  uint64_t late_ = 0;
};

}  // namespace cdc::sim
