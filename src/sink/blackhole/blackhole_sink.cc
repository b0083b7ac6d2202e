#include "sink/blackhole/blackhole_sink.h"

#include "base/format.h"

namespace cdc {

void BlackholeTarget::ListDatabases(Callback<Result<std::vector<std::string>>> done) {
  std::vector<std::string> names(databases_.begin(), databases_.end());
  executor_->Post(alive_.Guard([done, names] { done(names); }));
}

void BlackholeTarget::Describe(TargetName name,
                               Callback<Result<std::optional<TargetCollection>>> done) {
  std::optional<TargetCollection> found;
  const auto it = collections_.find(name);
  if (it != collections_.end()) found = it->second;
  executor_->Post(alive_.Guard([done, found] { done(found); }));
}

void BlackholeTarget::Apply(DdlStep step, Callback<Status> done) {
  const Status status = ApplyNow(step);
  executor_->Post(alive_.Guard([done, status] { done(status); }));
}

void BlackholeTarget::Create(const DdlStep& step) {
  const SourceCollection& source = *step.source;
  TargetCollection collection;
  collection.name = step.name;
  collection.id = ++last_id_;
  collection.created_ts = step.ts != 0 ? step.ts : source.create_ts;
  collection.schema = source.schema;
  collection.schema.name = step.name.collection;
  collection.consistency_level = source.consistency_level;
  collection.properties = source.properties;
  for (size_t i = 0; i < source.vchannels.size(); ++i) {
    collection.pchannels.push_back(Format("blackhole-dml_{}", i));
    collection.vchannels.push_back(Format("blackhole-dml_{}_{}v{}", i, collection.id, i));
  }
  collection.partitions["_default"] = ++last_id_;
  if (source.schema.PartitionKey() != nullptr) {
    for (const auto& [id, partition] : source.partitions) {
      if (partition.state == ObjectState::kCreated) {
        collection.partitions.emplace(partition.name, ++last_id_);
      }
    }
    if (!source.partitions.empty()) collection.partitions.erase("_default");
  }
  collections_.emplace(step.name, std::move(collection));
}

Status BlackholeTarget::ApplyNow(const DdlStep& step) {
  using Kind = DdlStep::Kind;
  if (step.kind == Kind::kCreateDatabase) databases_.insert(step.name.database);
  if (step.kind == Kind::kDropDatabase) databases_.erase(step.name.database);
  if (step.kind == Kind::kCreateCollection) Create(step);
  if (step.kind == Kind::kDropCollection) collections_.erase(step.name);
  if (step.kind == Kind::kDropAlias) {
    for (auto& [name, collection] : collections_) {
      if (name.database == step.name.database) collection.aliases.erase(step.alias);
    }
  }
  if (step.kind <= Kind::kDropCollection || step.kind == Kind::kDropAlias) return OkStatus();

  const auto it = collections_.find(step.name);
  if (it == collections_.end()) {
    return FatalError(Format("{}: no such collection", ToString(step)), ErrorKind::kNotFound);
  }
  TargetCollection& collection = it->second;
  switch (step.kind) {
    case Kind::kRenameCollection: {
      auto node = collections_.extract(it);
      node.key() = step.new_name;
      node.mapped().name = step.new_name;
      node.mapped().schema.name = step.new_name.collection;
      collections_.insert(std::move(node));
      break;
    }
    case Kind::kAlterProperties:
      collection.properties = step.properties;
      break;
    case Kind::kCreatePartition:
      collection.partitions.emplace(step.partition, ++last_id_);
      break;
    case Kind::kDropPartition:
      collection.partitions.erase(step.partition);
      break;
    case Kind::kCreateIndex:
      std::erase_if(collection.indexes, [&](const auto& i) { return i.field == step.field; });
      collection.indexes.push_back({step.index, step.field, step.properties});
      break;
    case Kind::kDropIndex:
      std::erase_if(collection.indexes, [&](const auto& i) { return i.name == step.index; });
      break;
    case Kind::kCreateAlias:
    case Kind::kAlterAlias:
      for (auto& [name, other] : collections_) other.aliases.erase(step.alias);
      collection.aliases.insert(step.alias);
      break;
    case Kind::kLoadCollection:
      collection.load = LoadState::Kind::kCollection;
      collection.loaded_partitions.clear();
      break;
    case Kind::kReleaseCollection:
      collection.load = LoadState::Kind::kNone;
      collection.loaded_partitions.clear();
      break;
    case Kind::kLoadPartitions:
      if (collection.load != LoadState::Kind::kCollection) {
        collection.load = LoadState::Kind::kPartitions;
        collection.loaded_partitions.insert(step.partition_names.begin(),
                                            step.partition_names.end());
      }
      break;
    case Kind::kReleasePartitions:
      if (collection.load == LoadState::Kind::kCollection) {
        collection.load = LoadState::Kind::kPartitions;
        for (const auto& [name, id] : collection.partitions) {
          collection.loaded_partitions.insert(name);
        }
      }
      for (const std::string& name : step.partition_names) {
        collection.loaded_partitions.erase(name);
      }
      if (collection.loaded_partitions.empty()) collection.load = LoadState::Kind::kNone;
      break;
    default:
      break;
  }
  return OkStatus();
}

void BlackholeTarget::Send(std::shared_ptr<const LaneBatch> batch, Callback<size_t>,
                           Callback<SendOutcome> done) {
  for (const LaneItem& item : batch->items) rows_ += item.change.num_rows;
  executor_->Post(alive_.Guard([done, count = batch->items.size()] { done({OkStatus(), count}); }));
}

void BlackholeTarget::Drain(const std::string&, Callback<Status> done) {
  executor_->Post(alive_.Guard([done] { done(OkStatus()); }));
}

}  // namespace cdc
