// The ports of the replication pipeline: what it needs from the world, and the delivery contract.
//
// Everything here is asynchronous. A callback runs on the pipeline's executor, exactly once, and
// never before the call that took it has returned. Implementations may be called only from that
// executor unless stated otherwise; none of the calls blocks.
//
// THE DELIVERY CONTRACT
//  1. Order. Changes of one shard reach the target in source-timestamp order; at equal timestamps a
//     delete precedes an insert.
//  2. Nothing lost. A checkpoint moves only past changes that the target acknowledged. Sent, queued
//     and timed out are not acknowledged.
//  3. Nothing doubled. After any crash of ours the target holds exactly the source's rows.
//  4. Barriers. An object exists on the target before its first row and is dropped once, after its
//     last change on all channels. Drop and re-create under one name never mixes the two.
//  5. Loud, not silent. A position that the log no longer holds, an undecodable change, a schema
//     that does not fit: the task fails with position and reason, and loses nothing. An operation
//     of an unknown kind is counted and reported, and does not stop the data.
//  6. Isolation. One task's trouble does not touch another's beyond sharing one target's clock.
//  7. Never destroy by inference. The target loses an object only because the log or an explicit
//     mark in etcd says that this very object was dropped, and only if we created or adopted it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/catalog.h"
#include "model/change.h"
#include "model/rbac.h"
#include "model/target.h"
#include "model/task.h"

namespace cdc {

template <typename T>
using Callback = std::function<void(T)>;

// ---- the source's log ---------------------------------------------------------------------

// Reads one channel forward. Destroying it cancels a Read in progress: its callback is not called.
class LogReader {
 public:
  virtual ~LogReader() = default;
  // Delivers the next changes in log order: at least one, about `max_bytes` at most (one oversized
  // change is delivered alone). Waits as long as the log has nothing new. One Read at a time.
  // Errors: kRetry (log unreachable; call Read again), kPositionGone, corrupt; the message of the
  // latter two names channel and position.
  virtual void Read(size_t max_bytes, Callback<Result<std::vector<Change>>> done) = 0;
};

class LogSource {
 public:
  virtual ~LogSource() = default;
  // Opens `channel` at `from`. Never fails by itself: errors come from the first Read.
  virtual std::unique_ptr<LogReader> Open(const std::string& channel, LogPosition from) = 0;
  // For each channel the position behind its newest message (kAfter), or kEarliest when it is
  // empty.
  virtual void Latest(std::vector<std::string> channels,
                      Callback<Result<std::map<std::string, LogPosition>>> done) = 0;
  // Decodes the raw message id bytes of a collection's start position.
  virtual Result<LogId> DecodeId(const std::string& bytes) const = 0;
};

// Reads the operation topic; same rules as LogReader.
class OperationReader {
 public:
  virtual ~OperationReader() = default;
  virtual void Read(Callback<Result<std::vector<Operation>>> done) = 0;
};

class OperationSource {
 public:
  virtual ~OperationSource() = default;
  virtual std::unique_ptr<OperationReader> Open(LogPosition from) = 0;
};

// ---- the source's metadata ------------------------------------------------------------------

// Delivers the catalog: one full update first, then every change. Destroying the feed ends it.
class CatalogFeed {
 public:
  virtual ~CatalogFeed() = default;
  // `on_update` gets updates in revision order; `on_trouble` gets a passing error (etcd away; the
  // feed goes on by itself) and an ok Status when it is over. Call once.
  virtual void Start(Callback<CatalogUpdate> on_update, Callback<Status> on_trouble) = 0;
  // Linearizable read of one collection: `done` is called after an update that is at least as new
  // as this call was delivered through on_update. Errors: kRetry.
  virtual void Refresh(CollectionId collection, Callback<Status> done) = 0;
};

// ---- the target -----------------------------------------------------------------------------

// Metadata of a target. Calls for different objects may be in flight together.
class TargetAdmin {
 public:
  virtual ~TargetAdmin() = default;
  virtual void ListDatabases(Callback<Result<std::vector<std::string>>> done) = 0;
  // Describes a collection with partitions, indexes, aliases and load state; nullopt: there is
  // none. An alias of that name is not a collection: nullopt.
  virtual void Describe(TargetName name,
                        Callback<Result<std::optional<TargetCollection>>> done) = 0;
  // Applies one step. Steps are idempotent where Milvus lets them be: creating what exists equal
  // and dropping what is gone succeed. kUnknownOutcome: describe before trying again.
  virtual void Apply(DdlStep step, Callback<Status> done) = 0;
};

struct LaneItem {
  Change change;
  std::shared_ptr<const TargetAddressOfRows> to;
  Timestamp stamp = 0;  // replicate mode: the timestamp that the target shall see
  // This change may have been applied before (crash, unknown outcome): an insert is sent as
  // delete + insert naming its own partition, so that the outcome is the same either way.
  bool replay = false;
};

struct LaneBatch {
  std::string lane;             // replicate mode: target pchannel. api mode: source vchannel
  std::vector<LaneItem> items;  // in order, stamps never falling
  Timestamp tick = 0;           // replicate mode: time tick sent behind the items; 0: none
  Timestamp tick_before = 0;    // replicate mode: the last tick sent before (for BeginTs)
};

struct SendOutcome {
  Status status;
  // How many leading items are certainly applied although `status` is an error.
  size_t applied = 0;
};

// Writes rows. One Send at a time per lane; lanes are independent.
class DataSink {
 public:
  virtual ~DataSink() = default;
  // The batch is shared and immutable until `done` has been called. Where it becomes several calls,
  // `progress` is called before that, with the number of leading items that are certainly applied:
  // what is through shall count, for a process that ends in the middle has the rest to repeat.
  virtual void Send(std::shared_ptr<const LaneBatch> batch, Callback<size_t> progress,
                    Callback<SendOutcome> done) = 0;
  // After an unknown outcome, or a life that ended in the middle of one; not while a Send of the
  // lane is in progress. The connection of such a call is given up by then; waits until one still
  // travelling can no longer arrive: until the target has answered on a new connection and the
  // settle time has passed. Errors: kRetry (it does not answer; call Drain again).
  virtual void Drain(const std::string& lane, Callback<Status> done) = 0;
  // The lane is gone, and whatever was kept for it; one of that name may come again.
  virtual void Forget(const std::string& /*lane*/) {}
};

// ---- what survives us -----------------------------------------------------------------------

// Progress of one task on one source channel. All values are the source's own.
struct ChannelCheckpoint {
  std::string channel;
  LogPosition seek;      // lowest log id of anything read and not yet acknowledged
  Timestamp filter = 0;  // every change with ts <= filter is acknowledged; moves at whole ts only
  Timestamp fence = 0;   // no change with a greater ts has ever been sent
  bool operator==(const ChannelCheckpoint&) const = default;
};

// A replicate lane's clock, shared by all tasks of a target.
struct LaneFence {
  std::string lane;
  Timestamp fence = 0;  // no greater stamp has ever been sent, ticks included
};

// Which object of the target is ours: recorded before it is created, completed afterwards.
struct ObjectRecord {
  CollectionId source_id = 0;
  TargetName name;                     // where it is, or is being made
  CollectionId target_id = 0;          // 0: creation intended, outcome unknown
  Timestamp created_ts = 0;            // of the target; before it is made, of the source
  std::vector<std::string> pchannels;  // source channels, for a drop when etcd has forgotten them
  // Source id -> target id, of those that exist there; 0: creation intended, outcome unknown.
  std::map<PartitionId, PartitionId> partitions;
  TargetName moving_to;  // where a rename under way takes it; empty: none
  bool operator==(const ObjectRecord&) const = default;
};

struct DatabaseRecord {
  DatabaseId source_id = 0;
  std::string source_name;
  std::string target_name;
  bool ours = false;  // we created it
  bool operator==(const DatabaseRecord&) const = default;
};

struct SourceIdentity {
  uint64_t cluster_id = 0;
  int64_t revision = 0;
};

// Everything remembered of a task; what a restart begins with.
struct TaskProgress {
  std::map<std::string, ChannelCheckpoint> channels;
  std::optional<LogPosition> operations;  // where the operation topic goes on
  std::map<CollectionId, ObjectRecord> objects;
  std::map<DatabaseId, DatabaseRecord> databases;
  std::optional<SourceIdentity> source;
  // What was seen of the source's users and roles, by their names on the target and without hashes:
  // what the task may take away there one day. nullopt: nothing yet.
  std::optional<RbacCatalog> rbac;
};

// One atomic write. Only what is named changes.
struct ProgressWrite {
  std::string task;
  std::vector<ChannelCheckpoint> channels;
  std::optional<LogPosition> operations;
  std::vector<ObjectRecord> objects;
  std::vector<CollectionId> forgotten_objects;
  std::vector<DatabaseRecord> databases;
  std::vector<DatabaseId> forgotten_databases;
  std::optional<SourceIdentity> source;
  std::optional<RbacCatalog> rbac;
  std::string target;  // identity of the target, for lanes
  std::vector<LaneFence> lanes;
};

class ProgressStore {
 public:
  virtual ~ProgressStore() = default;
  // Makes the write durable, all of it or nothing, in call order. Errors: kRetry (the same write
  // may be issued again), fatal (store unusable).
  virtual void Commit(ProgressWrite write, Callback<Status> done) = 0;
};

}  // namespace cdc
