// One simulated replication: a source with a random workload, a target, our process with its
// crashes and restarts, faults on every side; then everything heals and both sides must be equal.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fault_points.h"
#include "pipeline/lane_set.h"
#include "pipeline/read_governor.h"
#include "pipeline/replication.h"
#include "sim_feeds.h"
#include "sim_source.h"
#include "sim_store.h"
#include "sim_target.h"
#include "sim_workload.h"

namespace cdc::sim {

inline constexpr Duration kProbeInterval = std::chrono::milliseconds(250);
// What a source of these simulations may write to its log before the tick that covers it.
inline constexpr size_t kUntickedBytes = 64 << 10;

// What no replication can get over by itself; at most one in a run.
enum class Calamity {
  kNone,
  kLogTruncated,  // the log no longer holds what was not read yet: the task must fail
  kEtcdWiped,     // nothing may be dropped, and the task says so
  kKeyLost,       // a collection's key is gone from etcd without a mark: it is kept on the target
  kOperatorDrop,  // somebody drops a collection of the second task on the target: the first goes on
};
const char* ToString(Calamity calamity);

struct Plan {
  uint64_t seed = 0;
  bool trace = false;
  bool replicate = true;
  int tasks = 1;
  SourceOptions source;
  TargetOptions target;
  WorkloadOptions workload;
  bool map_names = false;
  bool starts = false;  // the source has a past, and each collection begins at another place of it
  size_t memory_limit = 128 << 20;
  size_t memory_reserve = 1 << 20;
  size_t read_bytes = 1 << 20;
  size_t window_bytes = 8 << 20;
  int64_t fence_ahead_ms = 2000;
  SourceFaults source_faults;
  StoreFaults store_faults;
  TargetFaults target_faults;
  double crash = 0;    // chance per second
  double restart = 0;  // clean stops
  double pause = 0;    // of one task
  double outage = 0;   // of the target
  double etcd_outage = 0;
  double point_crash = 0;  // see FaultPoints
  bool rare_points = false;
  Calamity calamity = Calamity::kNone;
  Duration calamity_after{};
  Duration clock_set_after{};
  int64_t clock_set_ms = 0;  // 0: the clock of the process is right
  Duration length = std::chrono::seconds(8);

  // Everything follows from the seed.
  static Plan FromSeed(uint64_t seed);
  std::string ToString() const;
};

struct Outcome {
  std::string failure;  // empty: all is well
  uint64_t events = 0;
  uint64_t rows = 0;
  uint64_t lives = 0;
  uint64_t replayed = 0;
  uint64_t late = 0;
  uint64_t calls = 0;
  std::map<std::string, FaultPoints::Count> points;
};

class Simulation {
 public:
  explicit Simulation(const Plan& plan);
  ~Simulation();
  Outcome Run();

 private:
  struct Task {
    std::string id;
    Selection selection;
    TaskStart start;
    std::unique_ptr<Replication> running;
    SimCatalogFeed* feed = nullptr;  // owned by `running`
    size_t safe_checked = 0;         // messages below were seen readable
    bool paused = false;
    bool stopping = false;
    std::string failed;        // why; it stays so
    bool knew_source = false;  // before its etcd was wiped
  };

  void StartLife();
  void StartTask(Task* task);
  void EndLife();
  void Crash();
  void CrashAtPoint();
  void StopAll();
  void StopTask(Task* task, std::function<void()> done);
  void PauseTask(Task* task);
  void Trouble();  // every 100 ms: does something go wrong?
  void Probe();    // every 250 ms: invariants
  void CheckSafeTime(Task* task);
  void CheckMemory();
  void Heal();
  void Strike();
  void OnFailed(Task* task, const Error& error);
  std::string CheckCalamity() const;
  bool RunFor(Duration time);
  std::string Difference() const;
  std::string CompareCollection(const ModelCollection& model, const TargetState& target) const;
  std::string Dump() const;
  const Task* TaskOf(CollectionId id) const;

  // sim_starts.cc
  struct WantedRow {
    PartitionId partition = 0;
    int64_t key = 0;
    uint64_t uid = 0;
  };
  void WritePast();
  StartPoint SomeCheckpoint(int pchannel);
  void ChooseStarts();
  void StartWorkload();
  bool Counts(const MessageInfo& info) const;
  std::vector<WantedRow> WantedRows(const ModelCollection& model) const;

  std::map<std::string, TaskProgress> FirstProgress() const;

  Plan plan_;
  SimExecutor executor_;
  Random random_;
  Report report_;
  FaultPoints points_;
  SimSource source_;
  SimStore store_;
  SimTarget target_;
  SimLog log_;
  Workload workload_;
  std::vector<Task> tasks_;
  std::unique_ptr<LaneSet> lanes_;
  std::unique_ptr<ReadGovernor> governor_;
  uint64_t life_ = 0;
  bool up_ = false;
  bool stopping_ = false;
  bool healed_ = false;
  std::set<CollectionId> existed_;       // when the tasks were made, if the plan says starts
  std::vector<uint64_t> ends_at_start_;  // of the logs
  const Task* struck_ = nullptr;         // by an operator, who dropped a collection of its target
  std::map<std::pair<CollectionId, PartitionId>, TimePoint> drop_known_;
};

}  // namespace cdc::sim
