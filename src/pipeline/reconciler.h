// Reconciler: the catalog loop of one task. It keeps the objects of the target as the source's
// metadata says, step by step, and tells the channels where rows go.
//
// Level-triggered: every decision is made from what the source wants and what the target shows, so
// it does not matter which notification was lost or when the process died. At most one call about
// an object is in flight; objects are independent. Lives on the pipeline's executor; owned by a
// Replication, which is its host.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/executor.h"
#include "pipeline/channel.h"
#include "pipeline/lane_set.h"
#include "pipeline/object.h"
#include "pipeline/planner.h"
#include "pipeline/ports.h"

namespace cdc {

// The key of the condition that the task never had a collection to replicate.
inline constexpr const char* kSelectionTrouble = "selection";

class ReconcilerHost {
 public:
  virtual ~ReconcilerHost() = default;
  // The channel, opened on first use so that it covers `object` from its beginning.
  virtual Channel* OpenChannel(const std::string& pchannel, const Object& object) = 0;
  virtual Channel* FindChannel(const std::string& pchannel) = 0;
  virtual void ResumeChannels() = 0;
  virtual void Write(ProgressWrite write, Callback<Status> done) = 0;
  virtual void Latest(std::vector<std::string> channels,
                      Callback<Result<std::map<std::string, LogPosition>>> done) = 0;
  virtual void RefreshCatalog(CollectionId collection, Callback<Status> done) = 0;
  // A condition of the task by key: an error begins or renews it, nullptr ends it.
  virtual void SetTrouble(const std::string& key, const Error* error) = 0;
  virtual void Fail(const Error& error) = 0;
};

class Reconciler {
 public:
  struct Options {
    std::string task;
    TargetMode mode = TargetMode::kApi;
    Selection selection;
    bool adopt = false;
    TaskStart start;
    LoadPolicy load = LoadPolicy::kFollow;
    DropPolicy drops = DropPolicy::kReplicate;
    bool may_select_nothing = false;  // it has users to replicate
    bool ignore_partitions = false;   // none is made or dropped on the target: its owner does
    Duration verify_interval = std::chrono::seconds(5);
    Duration poll_interval = std::chrono::milliseconds(500);  // of a load under way
    Duration park_after = std::chrono::seconds(2);            // a row waiting for its object's name
    Duration soft_retry_max = std::chrono::seconds(30);
    // How long a change whose answer was lost may take to land, once the target answers again.
    Duration settle = std::chrono::seconds(1);
  };

  Reconciler(Options options, const TaskProgress& progress, Executor* executor, TargetAdmin* admin,
             LaneSet* lanes, ReconcilerHost* host);
  ~Reconciler();
  Reconciler(const Reconciler&) = delete;
  Reconciler& operator=(const Reconciler&) = delete;

  void OnCatalog(const CatalogUpdate& update);
  Routing Route(Channel* channel, const Change& change);
  void OnDelivered(const Change& change);
  void OnAcked(const Change& change);
  void OnDropMessage(Channel* channel, const Change& change, uint64_t token);
  void OnCheckpointMoved(Channel* channel);

  // Begins nothing on the target any more.
  void Halt() { halted_ = true; }
  // No change of the target's metadata is under way.
  bool Quiet() const { return changes_in_flight_ == 0; }

  const std::map<CollectionId, Object>& objects() const { return objects_; }
  // Where a selected, live collection is on the target; nullopt while it is not there, with its
  // source channels if it will be.
  std::optional<TargetName> WhereIs(const std::string& database, const std::string& collection,
                                    std::vector<std::string>* pchannels) const;
  bool catalog_seen() const { return catalog_seen_; }
  std::string SourceDatabaseOf(const Object& object) const;

 private:
  // Writes down what of source and databases is not yet; again until the store has taken it.
  void RecordRest();

  // reconciler.cc: what the source says
  void ApplyCollection(const SourceCollectionPtr& collection);
  void ApplyGoneCollection(const Gone<CollectionId>& gone);
  void ApplyFullListing(const CatalogUpdate& update);
  void TellSelection();
  bool CheckIdentity(const CatalogUpdate& update);
  void BeginDrop(Object* object);
  void MarkDropped(Object* object, PartitionId partition);
  void BeginPartitionDrop(Object* object, PartitionId partition);
  void TakeWatermarks(CollectionId object, PartitionId partition);
  void ApplyPartitions(Object* object);
  void OpenChannels(const Object& object);
  void Erase(CollectionId id);
  void AckTokens(const DropBarrier& barrier);

  // reconciler_rows.cc: where rows go
  Routing AskCatalog(const Change& change);
  std::shared_ptr<const TargetAddressOfRows> AddressFor(Object* object, int shard,
                                                        PartitionId partition);
  void AwaitPartition(Object* object, PartitionId partition);
  void SettleAwaited(Object* object);

  // reconciler_steps.cc: one step at a time towards it
  void Kick(CollectionId id);  // posts Step
  void KickAll();
  void Step(CollectionId id);
  void CreateObject(Object* object);
  void EnsureDatabase(const std::string& name, Callback<Status> done);
  void MakeReady(Object* object);
  Timestamp FloorFor(const Object& object) const;
  bool RunRename(Object* object);
  void RenameTo(Object* object, TargetName name);
  bool RunPlanned(Object* object);
  bool BeginPartition(Object* object, const DdlStep& step);
  void ApplyStep(Object* object, DdlStep step, bool soft);
  void OnStepDone(CollectionId id, DdlStep step, bool soft, Status status);
  void RetryLater(Object* object, const std::string& what, const Error& error);
  void Persist(Object* object, std::function<void(Object*)> then);
  PlanContext ContextFor(const Object& object) const;
  void ScheduleVerify();
  void Poll(Object* object);
  // A callback that ends the call about the object: clears `busy`, then runs fn(object, args...).
  // Nothing happens when the object or this reconciler is gone.
  template <typename Fn>
  auto WithObject(CollectionId id, Fn fn) {
    return alive_.Guard([this, id, fn = std::move(fn)](auto&&... args) mutable {
      Object* object = Find(id);
      if (object == nullptr) return;
      object->busy = false;
      fn(object, std::forward<decltype(args)>(args)...);
    });
  }
  Object* Find(CollectionId id);

  // reconciler_settle.cc: not while an older change may still land
  void ApplyOnTarget(DdlStep step, Callback<Status> done);
  void Settle();
  void OnSettled(uint64_t wanted);
  bool MayChange(Object* object);
  bool MayLook(Object* object);

  // reconciler_ownership.cc: whose is it
  // Every change of a record's name, of where it is moving to and of its target id goes through it.
  void SetRecord(Object* object, std::optional<ObjectRecord> record);
  const Object* OwnerOf(const TargetCollection& found, CollectionId except) const;
  const Object* HolderOf(const TargetName& name, CollectionId except) const;
  bool WaitsForName(Object* object, const TargetName& name);
  void ParkIfNeeded(Object* object, const Channel& channel);
  void DescribeObject(Object* object, TargetName name);
  void OnDescribed(Object* object, std::optional<TargetCollection> found, TargetName asked);
  bool IsOurs(const Object& object, const TargetCollection& found) const;
  void OnStranger(Object* object, TargetCollection found);
  void Own(Object* object, TargetCollection found);
  bool OwnPartitions(Object* object, ObjectRecord* record, const TargetCollection& found) const;

  // reconciler_drops.cc
  void RunDrop(Object* object);
  void DropFirstAlias(Object* object);
  void DropOnTarget(Object* object, DdlStep step, PartitionId target_partition,
                    std::function<void(Object*)> finish);
  void FinishDrop(Object* object);
  bool RunPartitionDrop(Object* object);
  void FinishPartitionDrop(Object* object, PartitionId partition);
  void InjectDrops(Object* object, ChangeKind kind, PartitionId partition, Timestamp ts,
                   std::function<void()> done);

  // reconciler_databases.cc
  void ApplyDatabase(const SourceDatabase& database);
  void ApplyGoneDatabase(const Gone<DatabaseId>& gone);
  void DropEmptyDatabases();
  void InheritDatabase(const SourceDatabase& database, const std::string& target);
  void MakeDatabase(const std::string& name);
  std::string DatabaseName(DatabaseId id) const;

  const Options options_;
  Executor* const executor_;
  TargetAdmin* const admin_;
  LaneSet* const lanes_;
  ReconcilerHost* const host_;

  bool catalog_seen_ = false;
  bool nothing_yet_;  // this task never had an object, and should have one
  bool halted_ = false;
  uint64_t changes_in_flight_ = 0;
  bool settled_ = true;
  bool settling_ = false;
  uint64_t settles_wanted_ = 1;  // how often it was doubted what is on the way
  Backoff settle_backoff_{std::chrono::milliseconds(200), std::chrono::seconds(5)};
  std::set<CollectionId> waiting_to_settle_;
  std::set<std::string> databases_to_settle_;
  std::optional<SourceIdentity> identity_;
  std::map<CollectionId, Object> objects_;
  std::set<std::pair<TargetName, CollectionId>> names_;         // of the records, moving_to too
  std::set<std::pair<CollectionId, CollectionId>> target_ids_;  // (on the target, of the source)
  std::set<CollectionId> with_barriers_;
  std::set<CollectionId> unselected_;  // live at the source, not ours
  std::set<CollectionId> absent_;      // dropped, or asked for and not there: rows are skipped
  std::set<CollectionId> asking_;
  std::map<DatabaseId, SourceDatabase> databases_;
  std::map<DatabaseId, DatabaseRecord> database_records_;
  std::set<DatabaseId> dropped_databases_;
  std::set<std::string> target_databases_;
  bool target_databases_listed_ = false;
  std::map<std::string, std::vector<Callback<Status>>> creating_databases_;
  std::set<std::string> dropping_databases_;
  bool identity_unrecorded_ = false;
  std::set<DatabaseId> unrecorded_databases_;  // written as they are then, or as forgotten
  bool recording_rest_ = false;
  Backoff record_backoff_{std::chrono::milliseconds(200), std::chrono::seconds(5)};
  Alive alive_;
};

}  // namespace cdc
