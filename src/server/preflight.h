// Preflight: looks at a source, a target and the task that shall join them, and says what is wrong
// before anything starts. It changes nothing anywhere.
//
// What it finds, by `check` (e: error, w: warning; whatever is found to be right is told too):
//   source.config           e  (doctor) the configuration cannot work
//   source.etcd             e  does not answer; refuses user, password or certificate
//   source.metadata         e  nothing of a Milvus under the root path: the paths that have some
//   source.log              e  Kafka, Pulsar or the message store does not answer
//   source.channels         e  the log holds nothing of the collections' channels: it is another's
//                           w  of some of them
//   source.ticking          e  no time tick within a second: the source does not run, or writes to
//                              another log; w: on some channels
//   source.format           e  messages that cannot be decoded (the streaming format of 2.6)
//   source.operations       w  the operation topic has another prefix than the channels
//   source.positions        e  the log no longer holds what a task would go on with
//   tasks.exists            w  there is a task of that id: creating it would change nothing
//   tasks.clash             e  another task replicates the same into this target
//   tasks.limit             e  as many tasks as the configuration allows
//   selection.start         e  a place where collections shall begin is not theirs, or is gone
//   selection.collections   e  two would get one name
//                           w  a named collection does not exist; nothing is selected now
//   target.reachable        e  does not answer
//   target.credentials      e  refuses the token; a certificate file cannot be used
//   target.mode             e  no standby in mode replicate; a standby in mode api
//   target.is_source        e  source and target are the same Milvus
//   target.privileges       e  the user may not list databases or describe collections
//   target.databases        e  databases are mapped to, and the target has none
//   target.names            e  a collection of that name is there and was not made by us
//   target.shards           e  it has another number of shards (mode replicate)
//   target.types            e  the target's version cannot hold a field
//   target.auto_id          w  mode api switches autoID off
//
// Blocks for seconds; any thread, one call at a time for each object.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "client/raw_log.h"
#include "model/catalog.h"
#include "model/target.h"
#include "model/task.h"
#include "pipeline/ports.h"
#include "server/finding.h"
#include "server/task_plan.h"
#include "server/task_status.h"
#include "sink/milvus/target_mode.h"

namespace cdc {

// What it asks of a source. Every call blocks, some seconds at most.
class PreflightSource {
 public:
  virtual ~PreflightSource() = default;
  // What exists now. kNotFound: no Milvus there, and where there is some; kInvalid: refused.
  virtual Result<CatalogUpdate> Catalog() = 0;
  // The end of each channel; kEarliest: it is empty, or there is none. Errors: kRetry.
  virtual Result<std::map<std::string, LogPosition>> Ends(
      const std::set<std::string>& channels) = 0;
  // Reads the oldest message of a channel. Corrupt: it cannot be decoded.
  virtual Status ReadOldest(const std::string& channel) = 0;
  // kPositionGone: one of the places is no longer held.
  virtual Status CheckHeld(const std::map<std::string, LogPosition>& places) = 0;
  // The time of the oldest message of each channel; empty ones are left out.
  virtual Result<std::map<std::string, Timestamp>> Oldest(
      const std::set<std::string>& channels) = 0;
  // A message id as the source's Milvus writes it.
  virtual Result<LogId> DecodeId(const std::string& bytes) const = 0;
  virtual const std::string& operation_topic() const = 0;
};

// What it asks of a target. Every call blocks, some seconds at most.
class PreflightTarget {
 public:
  virtual ~PreflightTarget() = default;
  virtual Result<ResolvedMode> Mode(TargetMode requested) = 0;  // see ResolveMode
  virtual Result<std::vector<std::string>> Databases() = 0;
  // Those of the collections that are there.
  virtual Result<std::map<TargetName, TargetCollection>> Find(
      const std::vector<TargetName>& names) = 0;
};

struct PreflightPorts {
  PreflightSource* source = nullptr;
  // kInvalid: a certificate file cannot be used.
  std::function<Result<std::unique_ptr<PreflightTarget>>(const TargetAddress&)> open_target;
  // Whether there is room for the task beside the others (kConflict, kLimit); adds excludes. Empty:
  // there are no others.
  std::function<Status(TaskSpec*)> admit;
  std::function<bool(const std::string& task)> exists;              // may be empty
  std::function<std::map<std::string, TaskProgress>()> progresses;  // of all tasks; may be empty
  std::function<void(Duration)> wait;
};

class Preflight {
 public:
  explicit Preflight(PreflightPorts ports) : ports_(std::move(ports)) {}

  // In the order of the list above. `spec`: the task that would be created; null: only what
  // concerns the source and the tasks that are there.
  std::vector<Finding> Run(const TaskSpec* spec);
  // What creating a task looks at by itself: whether the target, which was just asked for its mode,
  // can take the collections. `spec`: with its start. That a collection which fits has to be taken
  // over with `adopt` is left to the task: the existing Milvus-CDC takes such a request.
  std::vector<Finding> RunCollections(const TaskSpec& spec, const ResolvedMode& mode,
                                      const PlannedSource& plan);

 private:
  void Say(const char* check, Severity severity, std::string what, std::string what_to_do = "");
  std::optional<CatalogUpdate> CheckMetadata();
  void CheckLog(const CatalogUpdate& catalog, const TaskSpec* spec);
  void CheckTicking(const std::map<std::string, LogPosition>& before);
  void CheckOperations(const std::set<std::string>& channels);
  void CheckPositions();
  void CheckRoom(TaskSpec* spec);
  void CheckStart(const CatalogUpdate& catalog, TaskSpec* spec);
  void CheckTarget(const TaskSpec& spec, const std::optional<CatalogUpdate>& catalog);
  void CheckMode(const TaskSpec& spec, const Result<ResolvedMode>& mode);
  void CheckDatabases(const TaskSpec& spec, PreflightTarget* target);
  void CheckPlanned(const TaskSpec& spec, const ResolvedMode& mode, const PlannedSource& plan,
                    PreflightTarget* target);
  void CheckCollections(const TaskSpec& spec, const ResolvedMode& mode,
                        const std::vector<SourceCollectionPtr>& collections,
                        const std::vector<TargetName>& names, PreflightTarget* target);
  bool CheckIsSource(const std::vector<SourceCollectionPtr>& collections,
                     const std::vector<TargetName>& own_names, PreflightTarget* target);

  const PreflightPorts ports_;
  bool creating_ = false;
  std::vector<Finding> findings_;
};

}  // namespace cdc
