#include "sim_source.h"

#include <algorithm>
#include <utility>

namespace cdc::sim {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(200);

CollectionSchema PlainSchema(const std::string& name) {
  CollectionSchema schema;
  schema.name = name;
  Field key;
  key.id = 100;
  key.name = "id";
  key.data_type = 5;
  key.primary_key = true;
  Field vector;
  vector.id = 101;
  vector.name = "v";
  vector.data_type = 101;
  vector.type_params = {{"dim", "4"}};
  schema.fields = {key, vector};
  return schema;
}

}  // namespace

SimSource::SimSource(SourceOptions options, SimExecutor* executor, Random random, Report* report)
    : options_(options),
      executor_(executor),
      random_(random),
      report_(report),
      logs_(static_cast<size_t>(options.pchannels)) {
  databases_[1] = {1, kDefaultDatabase, ObjectState::kCreated, {}};
  for (int i = 0; i < options_.pchannels; ++i) {
    logs_[i].silent_after = executor_->Now();
    executor_->PostAfter(random_.Millis(0, 200), [this, i] { Tick(i); });
  }
}

std::string SimSource::PchannelName(int index) {
  return Format("src-dml_{}", index);
}

int SimSource::PchannelIndex(const std::string& name) {
  return std::stoi(name.substr(name.rfind('_') + 1));
}

Timestamp SimSource::NewTs() {
  const int64_t now = executor_->WallMillis();
  logical_ = now == last_ms_ ? logical_ + 1 : 0;
  last_ms_ = now;
  return ComposeTimestamp(now, logical_);
}

// ---- logs ---------------------------------------------------------------------------------------

uint64_t SimSource::Append(int pchannel, Change change) {
  Log& log = logs_[pchannel];
  change.id = {0, log.entries.size() + 1};
  log.entries.push_back(std::move(change));
  auto waiters = std::move(log.waiters);
  log.waiters.clear();
  for (auto& waiter : waiters) executor_->Post(std::move(waiter));
  return log.entries.size();
}

// Nothing with a lower or equal timestamp is promised before the message stands in the log.
void SimSource::AppendLater(int pchannel, Change change, int64_t max_ms) {
  logs_[pchannel].pending.insert(change.ts);
  const Duration wait = max_ms == 0 ? Duration(0) : random_.Millis(0, max_ms);
  executor_->PostAfter(wait, [this, pchannel, change = std::move(change)] {
    Log& log = logs_[pchannel];
    log.pending.erase(log.pending.find(change.ts));
    const bool row = change.kind == ChangeKind::kInsert || change.kind == ChangeKind::kDelete;
    const uint64_t position = Append(pchannel, change);
    if (row) {
      messages_[DecodeRows(change.payload.bytes).seq].position = position;
      if (!random_.Chance(options_.duplicates)) return;
      if (random_.Chance(0.5)) {  // the copy comes before the covering tick too
        AppendLater(pchannel, change, 100);
      } else {  // behind it: its producer had lost the broker
        executor_->PostAfter(random_.Millis(0, 3000),
                             [this, pchannel, change] { Append(pchannel, change); });
      }
    }
  });
}

void SimSource::Tick(int pchannel) {
  executor_->PostAfter(kTick, [this, pchannel] { Tick(pchannel); });
  Log& log = logs_[pchannel];
  if (log.live == 0 && executor_->Now() > log.silent_after && log.pending.empty()) return;
  Timestamp tick = NewTs();
  if (!log.pending.empty()) tick = std::min(tick, *log.pending.begin() - 1);
  if (tick <= log.last_tick) return;
  log.last_tick = tick;
  Change change;
  change.kind = ChangeKind::kTimeTick;
  change.msg_type = 1200;
  change.ts = tick;
  Append(pchannel, std::move(change));
}

std::vector<uint64_t> SimSource::LogEnds() const {
  std::vector<uint64_t> ends;
  for (const Log& log : logs_) ends.push_back(log.entries.size());
  return ends;
}

void SimSource::WriteRows(ModelCollection* collection, PartitionId partition, ChangeKind kind,
                          Timestamp ts, const std::vector<Row>& rows) {
  const size_t shards = collection->pchannels.size();
  std::vector<std::vector<Row>> split(shards);
  for (const Row& row : rows) split[ShardOf(row.key, shards)].push_back(row);
  for (size_t shard = 0; shard < shards; ++shard) {
    if (split[shard].empty()) continue;
    const int pchannel = collection->pchannels[shard];
    const uint64_t seq = messages_.size();
    messages_.push_back(
        {collection->meta.id, partition, ts, kind, static_cast<int>(shard), pchannel, 0});
    collection->messages.push_back(seq);
    Change change;
    change.kind = kind;
    change.msg_type = kind == ChangeKind::kInsert ? 400 : 401;
    change.ts = ts;
    change.msg_id = next_msg_id_++;
    change.collection_id = collection->meta.id;
    change.partition_id = partition;
    change.shard = static_cast<int32_t>(shard);
    change.num_rows = split[shard].size();
    const size_t padding = random_.Chance(options_.oversized)
                               ? options_.max_padding * 20
                               : random_.Below(options_.max_padding + 1);
    change.payload = Slice::Own(EncodeRows({seq, std::move(split[shard])}, padding));
    report_->Trace("source: {} seq {} coll {} part {} shard {} ch {} ts {}",
                   kind == ChangeKind::kInsert ? "insert" : "delete", seq, change.collection_id,
                   partition, shard, pchannel, ts);
    AppendLater(pchannel, std::move(change), options_.disorder_ms);
  }
  last_write_ts_ = ts;
}

void SimSource::BroadcastDrop(const ModelCollection& collection, ChangeKind kind,
                              PartitionId partition, Timestamp ts) {
  const std::set<int> channels(collection.pchannels.begin(), collection.pchannels.end());
  for (const int pchannel : channels) {
    Change change;
    change.kind = kind;
    change.msg_type = kind == ChangeKind::kDropCollection ? 101 : 201;
    change.ts = ts;
    change.msg_id = next_msg_id_++;
    change.collection_id = collection.meta.id;
    change.partition_id = partition;
    AppendLater(pchannel, std::move(change), 300);
  }
}

// ---- metadata -----------------------------------------------------------------------------------

void SimSource::Changed() {
  for (const auto& listener : listeners_) listener();
}

void SimSource::Publish(CollectionId id) {
  events_.push_back({++revision_,
                     std::make_shared<const SourceCollection>(collections_.at(id).meta),
                     std::nullopt});
  Changed();
}

CatalogUpdate SimSource::FullListing() const {
  CatalogUpdate update;
  update.full = true;
  update.revision = revision_;
  for (const auto& [id, database] : databases_) update.databases.push_back(database);
  for (const DatabaseId id : database_tombstones_) update.gone_databases.push_back({id, true});
  for (const auto& [id, collection] : collections_) {
    if (collection.tombstone) {
      update.gone_collections.push_back({id, true});
    } else {
      update.collections.push_back(std::make_shared<const SourceCollection>(collection.meta));
    }
  }
  return update;
}

DatabaseId SimSource::CreateDatabase(const std::string& name) {
  const DatabaseId id = next_id_++;
  databases_[id] = {id, name, ObjectState::kCreated, {}};
  database_names_[id] = name;
  events_.push_back({++revision_, nullptr, databases_[id]});
  report_->Trace("source: create database {} id {}", name, id);
  Changed();
  return id;
}

void SimSource::DropDatabase(DatabaseId id) {
  report_->Trace("source: drop database {}", id);
  databases_.erase(id);
  database_tombstones_.insert(id);
  events_.push_back({++revision_, nullptr, std::nullopt, 0, id});
  Changed();
}

CollectionId SimSource::CreateCollection(DatabaseId database, const std::string& name, int shards) {
  const CollectionId id = next_id_++;
  ModelCollection& collection = collections_[id];
  SourceCollection& meta = collection.meta;
  meta.id = id;
  meta.db_id = database;
  meta.name = name;
  meta.schema = PlainSchema(name);
  meta.create_ts = NewTs();
  const PartitionId partition = next_id_++;
  meta.partitions[partition] = {partition, "_default", ObjectState::kCreated, meta.create_ts};
  collection.born[meta.create_ts] = partition;
  std::vector<int> all(logs_.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
  for (int shard = 0; shard < shards; ++shard) {
    const size_t pick = random_.Below(all.size());
    const int pchannel = all[pick];
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(pick));
    collection.pchannels.push_back(pchannel);
    meta.pchannels.push_back(PchannelName(pchannel));
    meta.vchannels.push_back(Format("{}_{}v{}", PchannelName(pchannel), id, shard));
    Change change;
    change.kind = ChangeKind::kCreateCollection;
    change.msg_type = 100;
    change.ts = meta.create_ts;
    change.collection_id = id;
    const uint64_t position = Append(pchannel, std::move(change));
    meta.start_positions[PchannelName(pchannel)] = std::to_string(position);
    ++logs_[pchannel].live;
  }
  report_->Trace("source: create collection {}.{} id {} shards {} ts {}",
                 database_names_.at(database), name, id, shards, meta.create_ts);
  Publish(id);
  collection.created_revision = revision_;
  return id;
}

void SimSource::DropCollection(CollectionId id) {
  ModelCollection& collection = collections_.at(id);
  const Timestamp ts = NewTs();
  report_->Trace("source: drop collection {} ts {}", id, ts);
  collection.meta.state = ObjectState::kDropping;
  collection.meta.aliases.clear();
  collection.ends_at_mark[0] = LogEnds();
  Publish(id);
  BroadcastDrop(collection, ChangeKind::kDropCollection, kAllPartitions, ts);
  for (const int pchannel : collection.pchannels) {
    Log& log = logs_[pchannel];
    if (--log.live == 0) log.silent_after = executor_->Now() + std::chrono::seconds(1);
  }
  executor_->PostAfter(random_.Millis(500, 8000), [this, id] {
    if (!tombstones_) return;
    collections_.at(id).tombstone = true;
    events_.push_back({++revision_, nullptr, std::nullopt, id});
    Changed();
  });
}

void SimSource::Rename(CollectionId id, const std::string& name) {
  report_->Trace("source: rename collection {} to {}", id, name);
  collections_.at(id).meta.name = name;
  Publish(id);
}

void SimSource::Swap(CollectionId a, CollectionId b) {
  report_->Trace("source: swap the names of collections {} and {}", a, b);
  std::swap(collections_.at(a).meta.name, collections_.at(b).meta.name);
  Publish(a);
  Publish(b);
}

void SimSource::CreatePartition(CollectionId id, const std::string& name) {
  const PartitionId partition = next_id_++;
  report_->Trace("source: create partition {} id {} of {}", name, partition, id);
  const Timestamp ts = NewTs();
  collections_.at(id).meta.partitions[partition] = {partition, name, ObjectState::kCreated, ts};
  collections_.at(id).born[ts] = partition;
  Publish(id);
}

void SimSource::DropPartition(CollectionId id, PartitionId partition) {
  ModelCollection& collection = collections_.at(id);
  const Timestamp ts = NewTs();
  report_->Trace("source: drop partition {} of {} ts {}", partition, id, ts);
  collection.meta.partitions.at(partition).state = ObjectState::kDropping;
  collection.meta.load.partitions.erase(partition);
  collection.rows.erase(partition);
  collection.ends_at_mark[partition] = LogEnds();
  Publish(id);
  BroadcastDrop(collection, ChangeKind::kDropPartition, partition, ts);
  ForgetPartition(id, partition);
}

void SimSource::ForgetPartition(CollectionId id, PartitionId partition) {
  executor_->PostAfter(random_.Millis(500, 8000), [this, id, partition] {
    ModelCollection& collection = collections_.at(id);
    if (!tombstones_ || collection.meta.state != ObjectState::kCreated) return;
    if (may_forget_ && !may_forget_(id, partition)) {
      ForgetPartition(id, partition);
      return;
    }
    collection.meta.partitions.erase(partition);
    Publish(id);
  });
}

void SimSource::SetIndex(CollectionId id, bool on) {
  SourceCollection& meta = collections_.at(id).meta;
  meta.indexes.clear();
  if (on) {
    const IndexId index = next_id_++;
    meta.indexes[index] = {
        index, 101, "vi", {{"index_type", random_.Chance(0.5) ? "HNSW" : "FLAT"}}};
  } else {
    meta.load = LoadState();
  }
  Publish(id);
}

void SimSource::SetLoad(CollectionId id, LoadState::Kind kind) {
  SourceCollection& meta = collections_.at(id).meta;
  meta.load = LoadState();
  meta.load.kind = kind;
  if (kind == LoadState::Kind::kPartitions) {
    for (const auto& [partition, value] : meta.partitions) {
      if (value.state == ObjectState::kCreated && meta.load.partitions.empty()) {
        meta.load.partitions.insert(partition);
      }
    }
  }
  Publish(id);
}

void SimSource::SetAlias(CollectionId id, const std::string& alias, bool on) {
  const DatabaseId database = collections_.at(id).meta.db_id;
  for (auto& [other, collection] : collections_) {
    if (collection.meta.db_id == database && collection.meta.aliases.erase(alias) > 0 &&
        other != id) {
      Publish(other);
    }
  }
  if (on) collections_.at(id).meta.aliases.insert(alias);
  Publish(id);
}

std::vector<CollectionId> SimSource::Live() const {
  std::vector<CollectionId> out;
  for (const auto& [id, collection] : collections_) {
    if (collection.meta.IsLive()) out.push_back(id);
  }
  return out;
}

bool SimSource::NameTaken(DatabaseId database, const std::string& name) const {
  return std::any_of(collections_.begin(), collections_.end(), [&](const auto& entry) {
    return entry.second.meta.IsLive() && entry.second.meta.db_id == database &&
           entry.second.meta.name == name;
  });
}

// ---- rows ---------------------------------------------------------------------------------------

std::vector<int64_t> SimSource::SomeKeys(const ModelCollection& collection, PartitionId partition,
                                         size_t n) {
  std::vector<int64_t> keys;
  for (const auto& [id, rows] : collection.rows) {
    if (partition != kAllPartitions && id != partition) continue;
    for (const auto& [key, uid] : rows) keys.push_back(key);
  }
  std::set<int64_t> picked;
  for (size_t i = 0; i < n && !keys.empty(); ++i) picked.insert(keys[random_.Below(keys.size())]);
  return {picked.begin(), picked.end()};
}

void SimSource::Insert(CollectionId id, PartitionId partition, size_t count) {
  ModelCollection& collection = collections_.at(id);
  auto& there = collection.rows[partition];
  std::vector<Row> rows;
  if (random_.Chance(0.3)) {  // keys that live in another partition, or were deleted from this one
    for (const int64_t key : SomeKeys(collection, kAllPartitions, count)) {
      if (!there.contains(key)) rows.push_back({key, next_uid_++});
    }
  }
  while (rows.size() < count) {
    const int64_t old = random_.Between(1, next_key_);
    const bool reuse =
        random_.Chance(0.3) && !there.contains(old) &&
        std::none_of(rows.begin(), rows.end(), [&](const Row& row) { return row.key == old; });
    rows.push_back({reuse && old < next_key_ ? old : next_key_++, next_uid_++});
  }
  for (const Row& row : rows) there[row.key] = row.uid;
  WriteRows(&collection, partition, ChangeKind::kInsert, NewTs(), rows);
}

void SimSource::Upsert(CollectionId id, PartitionId partition, size_t count) {
  ModelCollection& collection = collections_.at(id);
  std::vector<Row> inserts;
  std::vector<Row> deletes;
  for (const int64_t key : SomeKeys(collection, partition, count)) {
    inserts.push_back({key, next_uid_++});
  }
  if (inserts.empty()) inserts.push_back({next_key_++, next_uid_++});
  for (const Row& row : inserts) {
    deletes.push_back({row.key, 0});
    collection.rows[partition][row.key] = row.uid;
  }
  const Timestamp ts = NewTs();
  const bool insert_first = random_.Chance(0.3);  // log order at equal timestamps is not promised
  if (insert_first) WriteRows(&collection, partition, ChangeKind::kInsert, ts, inserts);
  WriteRows(&collection, partition, ChangeKind::kDelete, ts, deletes);
  if (!insert_first) WriteRows(&collection, partition, ChangeKind::kInsert, ts, inserts);
}

void SimSource::Delete(CollectionId id, PartitionId partition, size_t count) {
  ModelCollection& collection = collections_.at(id);
  std::vector<Row> rows;
  for (const int64_t key : SomeKeys(collection, kAllPartitions, count)) rows.push_back({key, 0});
  if (rows.empty()) return;
  for (auto& [other, there] : collection.rows) {
    if (partition != kAllPartitions && other != partition) continue;
    for (const Row& row : rows) there.erase(row.key);
  }
  WriteRows(&collection, partition, ChangeKind::kDelete, NewTs(), rows);
}

}  // namespace cdc::sim
