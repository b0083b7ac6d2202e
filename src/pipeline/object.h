// Object: one selected collection of the source and what stands for it on the target.
// Plain state of the Reconciler; lives on the pipeline's executor.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/backoff.h"
#include "pipeline/drop_barrier.h"
#include "pipeline/ports.h"

namespace cdc {

enum class ObjectPhase {
  kPending,   // not on the target yet, or not looked at since the start
  kReady,     // rows may flow
  kQuiet,     // rows wait: a rename is being made
  kDropping,  // the drop is being applied
  kGone,      // dropped, or never to be created
};
const char* ToString(ObjectPhase phase);

struct Object {
  CollectionId id = 0;
  SourceCollectionPtr want;        // as last seen; null when only our record of it is left
  bool dropped_at_source = false;  // the log or a mark in etcd says so
  bool vanished = false;           // absent from etcd without a mark: never a reason to drop
  TargetName name;                 // where it belongs on the target
  std::optional<ObjectRecord> record;
  // To be made under a temporary name: its rows come before the drop that frees its own.
  bool parked = false;
  bool unrecorded = false;                 // `record` is newer than what is durable
  std::optional<TargetCollection> actual;  // as last described
  bool described = false;                  // `actual` is fresh since the last doubt
  uint64_t looked_after = 0;  // the doubt that was settled when it was last looked at; 0: none was
  ObjectPhase phase = ObjectPhase::kPending;
  bool busy = false;       // a call about this object is in flight
  uint64_t in_flight = 0;  // rows' messages handed to lanes and not acknowledged
  std::map<PartitionId, uint64_t> in_flight_by_partition;
  bool touched = false;  // rows were sent since the last verification
  std::optional<DropBarrier> drop;
  std::map<PartitionId, DropBarrier> partition_drops;
  std::set<PartitionId> dropped_partitions;  // at the source, whatever an older listing still says
  std::set<PartitionId> absent_partitions;   // asked for and not there: rows are skipped
  // Target addresses by (shard index, source partition id).
  std::map<std::pair<int, PartitionId>, std::shared_ptr<const TargetAddressOfRows>> addresses;
  std::set<PartitionId> awaited_partitions;  // rows are there for them; others make them
  std::vector<std::pair<std::string, std::string>> joined;  // (source channel, lane)
  std::map<std::string, IndexId> index_origin;  // index name -> source id we created it from
  std::string last_step;  // the last one that succeeded, and how often in a row
  int same_steps = 0;
  std::set<std::string> refused;  // steps that the target refused for good
  bool load_settled = false;
  bool polling = false;
  Backoff backoff{std::chrono::milliseconds(200), std::chrono::seconds(10)};

  explicit Object(CollectionId object_id) : id(object_id) {}
  bool OnTarget() const { return record.has_value() && record->target_id != 0; }
  // The source's channels, from etcd or, when it has forgotten them, from our record.
  const std::vector<std::string>& pchannels() const {
    static const std::vector<std::string> kNone;
    if (want) return want->pchannels;
    return record ? record->pchannels : kNone;
  }
  // Where it waits while two collections swap names, or until its own name is free. Derived from
  // the id, so that it is found again after a crash.
  TargetName SwapName() const;
  // The names under which it may stand on the target, in the order of looking; never empty.
  std::vector<TargetName> PossibleNames() const;
  // The key of its condition in the task's state.
  std::string TroubleKey() const;
};

}  // namespace cdc
