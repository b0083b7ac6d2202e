// Planner: the next step that brings one collection of the target closer to the source's state.
//
// A pure function, evaluated again after every step, so that a crash between any two steps needs no
// recovery of its own. The order is Milvus': partitions before rows that name them; indexes before
// load; release before an index or a partition is dropped; aliases before a drop. Creating,
// renaming and dropping the collection itself are the Reconciler's.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "model/target.h"

namespace cdc {

struct PlanContext {
  LoadPolicy load = LoadPolicy::kFollow;
  bool ignore_partitions = false;  // those of the target are made by others
  bool load_settled = false;       // kOnce: the wanted load state was reached before
  // Indexes that we created from a source index that no longer exists under this id: same name, new
  // definition.
  std::set<std::string> stale_indexes;
  std::set<std::string> aliases_elsewhere;         // aliases that other target collections hold
  std::set<std::string> aliases_wanted_elsewhere;  // aliases that other source collections hold
  std::set<std::string> refused;  // ToString of steps that the target refused for good
};

// nullopt: nothing to do (or nothing that can be done now, as while a load is under way).
std::optional<DdlStep> NextStep(const SourceCollection& want, const TargetCollection& actual,
                                const PlanContext& context);

// The step that must precede dropping `partition` (release it), or nullopt.
std::optional<DdlStep> StepBeforePartitionDrop(const TargetCollection& actual,
                                               const std::string& partition);

}  // namespace cdc
