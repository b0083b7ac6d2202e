// SimSource: a model of a source Milvus: metadata as etcd shows it, one log per pchannel, and what
// the rows of every partition must be.
//
// It writes its logs as Milvus does: a message may stand in the log up to half a second before a
// tick lower than its own timestamp, producers repeat messages, a pchannel ticks every 200 ms while
// it has live collections and falls silent a second after the last drop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/catalog.h"
#include "model/change.h"
#include "sim_executor.h"
#include "sim_random.h"
#include "sim_report.h"
#include "sim_rows.h"

namespace cdc::sim {

struct SourceOptions {
  int pchannels = 2;
  int64_t disorder_ms = 500;
  double duplicates = 0.05;
  size_t max_padding = 200;
  double oversized = 0.0;
};

// One change of the metadata at one revision.
struct CatalogEvent {
  int64_t revision = 0;
  // One of these.
  SourceCollectionPtr collection;
  std::optional<SourceDatabase> database;
  CollectionId gone_collection = 0;
  DatabaseId gone_database = 0;
};

struct MessageInfo {
  CollectionId collection = 0;
  PartitionId partition = 0;
  Timestamp ts = 0;
  ChangeKind kind = ChangeKind::kInsert;
  int shard = 0;
  int pchannel = 0;
  uint64_t position = 0;  // in the log, from 1; 0: not there yet
};

struct ModelCollection {
  SourceCollection meta;
  std::vector<int> pchannels;  // by shard
  std::map<PartitionId, std::map<int64_t, uint64_t>> rows;
  std::vector<uint64_t> messages;
  std::map<Timestamp, PartitionId> born;  // partitions by their time of creation
  int64_t created_revision = 0;
  bool tombstone = false;  // etcd holds only the deletion mark
  // Per partition, 0 for the collection: log ends when its drop was marked in etcd.
  std::map<PartitionId, std::vector<uint64_t>> ends_at_mark;
};

class SimSource {
 public:
  SimSource(SourceOptions options, SimExecutor* executor, Random random, Report* report);

  // ---- operations of users; each is possible only where Milvus allows it
  DatabaseId CreateDatabase(const std::string& name);
  void DropDatabase(DatabaseId id);
  CollectionId CreateCollection(DatabaseId database, const std::string& name, int shards);
  void DropCollection(CollectionId id);
  void Rename(CollectionId id, const std::string& name);
  void Swap(CollectionId a, CollectionId b);
  void CreatePartition(CollectionId id, const std::string& name);
  void DropPartition(CollectionId id, PartitionId partition);
  void Insert(CollectionId id, PartitionId partition, size_t rows);
  void Upsert(CollectionId id, PartitionId partition, size_t rows);
  void Delete(CollectionId id, PartitionId partition, size_t rows);  // may be kAllPartitions
  void SetIndex(CollectionId id, bool on);
  void SetLoad(CollectionId id, LoadState::Kind kind);
  void SetAlias(CollectionId id, const std::string& alias, bool on);
  void StopTombstones() { tombstones_ = false; }
  // Etcd keeps the mark of a dropped partition for minutes, longer than a creation takes to be
  // recorded: asked before it forgets one.
  void SetMayForget(std::function<bool(CollectionId, PartitionId)> may) {
    may_forget_ = std::move(may);
  }

  // ---- what there is
  std::vector<CollectionId> Live() const;
  bool NameTaken(DatabaseId database, const std::string& name) const;
  const ModelCollection& Get(CollectionId id) const { return collections_.at(id); }
  const std::map<CollectionId, ModelCollection>& collections() const { return collections_; }
  const std::map<DatabaseId, SourceDatabase>& databases() const { return databases_; }
  std::string DatabaseName(DatabaseId id) const { return database_names_.at(id); }
  const std::vector<MessageInfo>& messages() const { return messages_; }
  Timestamp last_write_ts() const { return last_write_ts_; }

  // ---- etcd
  int64_t revision() const { return revision_; }
  const std::vector<CatalogEvent>& events() const { return events_; }
  CatalogUpdate FullListing() const;
  void OnCatalogChanged(std::function<void()> listener) {
    listeners_.push_back(std::move(listener));
  }

  // ---- logs
  int pchannels() const { return options_.pchannels; }
  static std::string PchannelName(int index);
  static int PchannelIndex(const std::string& name);
  const std::vector<Change>& LogOf(int pchannel) const { return logs_[pchannel].entries; }
  void OnAppend(int pchannel, std::function<void()> once) {
    logs_[pchannel].waiters.push_back(std::move(once));
  }

 private:
  struct Log {
    std::vector<Change> entries;
    std::multiset<Timestamp> pending;  // of messages on their way into the log
    std::vector<std::function<void()>> waiters;
    int live = 0;
    TimePoint silent_after;
    Timestamp last_tick = 0;
  };
  Timestamp NewTs();
  uint64_t Append(int pchannel, Change change);
  void AppendLater(int pchannel, Change change, int64_t max_ms);
  void Tick(int pchannel);
  void Publish(CollectionId id);
  void Changed();
  void WriteRows(ModelCollection* collection, PartitionId partition, ChangeKind kind, Timestamp ts,
                 const std::vector<Row>& rows);
  void BroadcastDrop(const ModelCollection& collection, ChangeKind kind, PartitionId partition,
                     Timestamp ts);
  void ForgetPartition(CollectionId id, PartitionId partition);
  std::vector<uint64_t> LogEnds() const;
  std::vector<int64_t> SomeKeys(const ModelCollection& collection, PartitionId partition, size_t n);

  const SourceOptions options_;
  SimExecutor* const executor_;
  Random random_;
  Report* const report_;
  bool tombstones_ = true;
  std::function<bool(CollectionId, PartitionId)> may_forget_;
  std::vector<Log> logs_;
  std::map<CollectionId, ModelCollection> collections_;
  std::map<DatabaseId, SourceDatabase> databases_;
  std::set<DatabaseId> database_tombstones_;
  std::map<DatabaseId, std::string> database_names_{{1, kDefaultDatabase}};  // dropped ones too
  std::vector<CatalogEvent> events_;
  std::vector<std::function<void()>> listeners_;
  std::vector<MessageInfo> messages_;
  int64_t revision_ = 10;
  int64_t next_id_ = 100;
  int64_t last_ms_ = 0;
  uint64_t logical_ = 0;
  uint64_t next_uid_ = 1;
  int64_t next_key_ = 1;
  int64_t next_msg_id_ = 1;
  Timestamp last_write_ts_ = 0;
};

}  // namespace cdc::sim
