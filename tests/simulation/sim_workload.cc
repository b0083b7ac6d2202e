#include "sim_workload.h"

#include <algorithm>

namespace cdc::sim {

void Workload::Prepare() {
  for (const std::string& name : options_.database_names) {
    if (random_.Chance(0.5)) source_->CreateDatabase(name);
  }
  const uint64_t some = random_.Below(3);
  for (uint64_t i = 0; i < some; ++i) CreateCollection();
}

void Workload::Next() {
  executor_->PostAfter(random_.Millis(1, 2 * options_.pause_ms), [this] {
    if (stopped_) return;
    Operation();
    Next();
  });
}

PartitionId Workload::PickPartition(CollectionId id) {
  std::vector<PartitionId> live;
  for (const auto& [partition, value] : source_->Get(id).meta.partitions) {
    if (value.state == ObjectState::kCreated) live.push_back(partition);
  }
  return live[random_.Below(live.size())];
}

void Workload::Operation() {
  const std::vector<CollectionId> live = source_->Live();
  if (live.empty() || (!rows_only_ && random_.Chance(options_.ddl))) {
    Ddl();
    return;
  }
  const CollectionId id = Pick(live);
  const PartitionId partition = PickPartition(id);
  const size_t rows = 1 + random_.Below(options_.max_rows);
  const uint64_t dice = random_.Below(10);
  if (dice < 6) {
    source_->Insert(id, partition, rows);
  } else if (dice < 8) {
    source_->Upsert(id, partition, rows);
  } else {
    source_->Delete(id, random_.Chance(0.5) ? kAllPartitions : partition, rows);
  }
}

void Workload::CreateCollection() {
  std::vector<DatabaseId> databases;
  for (const auto& [id, database] : source_->databases()) databases.push_back(id);
  const DatabaseId database = databases[random_.Below(databases.size())];
  const std::string name =
      random_.Chance(0.05) ? std::string("skip") : Format("c{}", random_.Below(4));
  if (source_->NameTaken(database, name)) return;
  source_->CreateCollection(
      database, name,
      static_cast<int>(1 + random_.Below(static_cast<uint64_t>(options_.max_shards))));
}

void Workload::DatabaseOperation() {
  const std::string& name = options_.database_names[random_.Below(options_.database_names.size())];
  for (const auto& [id, database] : source_->databases()) {
    if (database.name != name) continue;
    for (const CollectionId live : source_->Live()) {
      if (source_->Get(live).meta.db_id == id) return;  // refused: not empty
    }
    source_->DropDatabase(id);
    return;
  }
  source_->CreateDatabase(name);
}

void Workload::Ddl() {
  const std::vector<CollectionId> live = source_->Live();
  const uint64_t dice = random_.Below(10);
  if (live.empty() || dice < 3) {
    if (live.size() < static_cast<size_t>(options_.max_collections)) CreateCollection();
    return;
  }
  const CollectionId id = Pick(live);
  const SourceCollection& meta = source_->Get(id).meta;
  if (options_.decorations && random_.Chance(0.4)) {
    Decorate(id);
    return;
  }
  if (dice < 5) {
    if (!meta.aliases.empty()) return;  // refused
    const DatabaseId database = meta.db_id;
    const std::string name = meta.name;
    source_->DropCollection(id);
    if (random_.Chance(0.5)) {  // and again under that name, at once
      source_->CreateCollection(
          database, name,
          static_cast<int>(1 + random_.Below(static_cast<uint64_t>(options_.max_shards))));
    }
  } else if (dice < 7) {
    const std::string name = Format("p{}", random_.Below(3));
    for (const auto& [partition, value] : meta.partitions) {
      if (value.state != ObjectState::kCreated || value.name != name) continue;
      if (meta.load.kind == LoadState::Kind::kNone) {
        source_->DropPartition(id, partition);
        if (random_.Chance(0.3)) source_->CreatePartition(id, name);
      }
      return;
    }
    source_->CreatePartition(id, name);
  } else if (dice < 9) {
    if (!options_.renames) return;
    for (const CollectionId other : live) {
      const SourceCollection& that = source_->Get(other).meta;
      const bool pairs = that.name != "skip" && meta.name != "skip";
      if (other != id && pairs && that.db_id == meta.db_id && random_.Chance(0.5)) {
        source_->Swap(id, other);
        return;
      }
    }
    const std::string name = Format("c{}", random_.Below(4));
    if (meta.name != "skip" && !source_->NameTaken(meta.db_id, name)) source_->Rename(id, name);
  } else if (options_.databases) {
    DatabaseOperation();
  }
}

void Workload::Decorate(CollectionId id) {
  const SourceCollection& meta = source_->Get(id).meta;
  switch (random_.Below(3)) {
    case 0:
      if (meta.load.kind == LoadState::Kind::kNone) source_->SetIndex(id, random_.Chance(0.8));
      return;
    case 1:
      if (meta.indexes.empty()) return;
      source_->SetLoad(id, static_cast<LoadState::Kind>(random_.Below(3)));
      return;
    default:
      source_->SetAlias(id, Format("alias{}", random_.Below(2)), random_.Chance(0.7));
  }
}

}  // namespace cdc::sim
