// TargetEngine: everything that writes to one target, shared by all tasks that replicate into it:
// one executor, the connection, the lanes with their clock, and the memory quota.
//
// Owned by the task manager. Start, stop and status calls block and are safe from any thread but
// the engine's own.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_executor.h"
#include "pipeline/lane_set.h"
#include "pipeline/read_governor.h"
#include "pipeline/replication.h"
#include "server/source_runtime.h"
#include "sink/milvus/milvus_sink.h"
#include "store/store.h"

namespace cdc {

struct EngineOptions {
  Duration tick_interval = std::chrono::milliseconds(500);
};

class TargetEngine {
 public:
  // `identity` names the target in the store; `address` reaches it. Blocks on the store only.
  static Result<std::unique_ptr<TargetEngine>> Open(std::string identity, TargetMode mode,
                                                    const TargetAddress& address,
                                                    EngineOptions options, SourceRuntime* source,
                                                    Store* store);
  // Closes it first, if nobody has.
  ~TargetEngine();
  TargetEngine(const TargetEngine&) = delete;
  TargetEngine& operator=(const TargetEngine&) = delete;

  // Both run on the engine's thread; `on_warning` as Replication says.
  void StartTask(const TaskSpec& spec, TaskProgress progress, std::function<void(Error)> on_failed,
                 std::function<void(const std::string&)> on_warning);
  // Ends it: what is in flight, then its last checkpoint. Ready when that is stored, which a store
  // that is out of order may put off for ever; Forget() has to follow in any case.
  std::future<void> StopTask(const std::string& task);
  void Forget(const std::string& task);
  // Stores how far the target's clock was used, so that the next start need not wait for it to
  // pass; ready when that is done. Once, after all tasks are forgotten.
  std::future<void> Close();
  struct Snapshot {
    std::map<std::string, ReplicationStatus> tasks;  // those asked for that run
    // Of all its tasks.
    uint64_t calls = 0;
    uint64_t duplicate_keys = 0;  // rows that a replay has put in one another's place
  };
  // One visit to the engine's thread, however many tasks.
  Snapshot StatusOf(const std::vector<std::string>& tasks, bool with_collections);
  TargetMode mode() const { return mode_; }
  bool empty() const { return tasks_ == 0; }

 private:
  TargetEngine(std::string identity, TargetMode mode, EngineOptions options, SourceRuntime* source);

  const std::string identity_;
  const TargetMode mode_;
  const EngineOptions options_;
  SourceRuntime* const source_;
  ThreadExecutor executor_;
  std::unique_ptr<ProgressStore> progress_;
  std::unique_ptr<TargetAdmin> admin_;
  std::unique_ptr<RbacAdmin> rbac_admin_;  // null: the target has no users
  std::unique_ptr<DataSink> sink_;
  MilvusSink* rows_ = nullptr;  // the same, when the target is a Milvus
  std::unique_ptr<LogSource> log_;
  std::unique_ptr<OperationSource> operations_;
  std::unique_ptr<LaneSet> lanes_;
  std::unique_ptr<ReadGovernor> governor_;
  std::map<std::string, std::unique_ptr<Replication>> replications_;  // on the executor
  std::atomic<int> tasks_{0};
  bool closed_ = false;  // the owner's
};

}  // namespace cdc
