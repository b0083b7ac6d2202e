// Workload: random users of a SimSource.
#pragma once

#include <string>
#include <vector>

#include "sim_executor.h"
#include "sim_random.h"
#include "sim_source.h"

namespace cdc::sim {

struct WorkloadOptions {
  int max_collections = 5;
  int max_shards = 2;
  int64_t pause_ms = 40;  // between operations, at most twice that
  double ddl = 0.15;      // share of operations that change metadata
  bool renames = true;
  bool databases = true;
  bool decorations = false;  // indexes, load, aliases
  size_t max_rows = 6;
  std::vector<std::string> database_names;
};

class Workload {
 public:
  Workload(WorkloadOptions options, SimSource* source, SimExecutor* executor, Random random)
      : options_(std::move(options)), source_(source), executor_(executor), random_(random) {}

  // Empty objects that exist before the task does.
  void Prepare();
  void Start() {
    stopped_ = false;
    Next();
  }
  void Stop() { stopped_ = true; }
  // Nobody changes metadata meanwhile.
  void SetRowsOnly(bool on) { rows_only_ = on; }

 private:
  void Next();
  void Operation();
  void Ddl();
  void Decorate(CollectionId id);
  void CreateCollection();
  void DatabaseOperation();
  CollectionId Pick(const std::vector<CollectionId>& live) {
    return live[random_.Below(live.size())];
  }
  PartitionId PickPartition(CollectionId id);

  const WorkloadOptions options_;
  SimSource* const source_;
  SimExecutor* const executor_;
  Random random_;
  bool stopped_ = false;
  bool rows_only_ = false;
};

}  // namespace cdc::sim
