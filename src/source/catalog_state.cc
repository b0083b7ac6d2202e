#include "source/catalog_state.h"

#include <algorithm>
#include <memory>

#include "client/milvus/schema_codec.h"

namespace cdc {

bool CatalogState::CollectionParts::Nothing() const {
  return keys.empty() && fields.empty() && functions.empty() && partitions.empty() &&
         indexes.empty() && !load && loaded_partitions.empty() && aliases.empty();
}

// ---- keys in ----------------------------------------------------------------------------------

void CatalogState::Put(std::string_view key, std::string_view value, int64_t mod_revision) {
  const std::optional<CatalogKey> parsed = layout_.Parse(key);
  if (parsed && Advance(key, mod_revision, false)) Store(*parsed, key, value);
}

void CatalogState::Delete(std::string_view key, int64_t mod_revision) {
  const std::optional<CatalogKey> parsed = layout_.Parse(key);
  if (parsed && Advance(key, mod_revision, true)) Erase(*parsed);
}

void CatalogState::ReplaceInterval(const EtcdInterval& interval,
                                   const std::vector<EtcdKeyValue>& kvs, int64_t revision) {
  std::set<std::string_view> present;
  for (const EtcdKeyValue& kv : kvs) {
    present.insert(kv.key);
    Put(kv.key, kv.value, kv.mod_revision);
  }
  std::vector<std::string> absent;
  for (auto it = keys_.lower_bound(interval.begin); it != keys_.end(); ++it) {
    const bool inside =
        interval.end.empty() ? it->first == interval.begin : it->first < interval.end;
    if (!inside) break;
    if (!it->second.deleted && !present.contains(it->first)) absent.push_back(it->first);
  }
  for (const std::string& key : absent) Delete(key, revision);
}

bool CatalogState::Advance(std::string_view key, int64_t mod_revision, bool deleted) {
  auto it = keys_.find(key);
  if (it == keys_.end()) it = keys_.emplace(key, KeyVersion{}).first;
  if (mod_revision <= it->second.mod_revision) return false;
  it->second = {mod_revision, deleted};
  if (deleted) {
    deleted_keys_.insert(it->first);
  } else {
    deleted_keys_.erase(it->first);
  }
  return true;
}

template <typename T>
std::optional<T> CatalogState::Keep(Result<T> decoded, std::string_view key) {
  if (decoded.ok()) return *std::move(decoded);
  problems_.push_back("etcd key " + std::string(key) + ": " + decoded.error().message);
  return std::nullopt;
}

void CatalogState::Store(const CatalogKey& parsed, std::string_view key, std::string_view value) {
  using Kind = CatalogKey::Kind;
  switch (parsed.kind) {
    case Kind::kDatabase:
      StoreDatabase(parsed.owner, key, value);
      return;
    case Kind::kCollection:
      StoreCollection(parsed, key, value);
      return;
    case Kind::kAlias:
      StoreAlias(parsed, key, value);
      return;
    case Kind::kPartition:
      StorePartition(parsed, key, value);
      return;
    default:
      break;
  }
  if (IsTombstone(value)) {
    Erase(parsed);
    return;
  }
  CollectionParts& parts = collections_[parsed.owner];
  dirty_collections_.insert(parsed.owner);
  if (parsed.kind == Kind::kField) {
    if (auto field = Keep(DecodeField(value), key)) parts.fields[parsed.id] = *std::move(field);
  } else if (parsed.kind == Kind::kFunction) {
    auto function = Keep(DecodeFunction(value), key);
    if (function) parts.functions[parsed.id] = *std::move(function);
  } else if (parsed.kind == Kind::kIndex) {
    if (auto index = Keep(DecodeIndex(value), key)) parts.indexes[parsed.id] = *std::move(index);
  } else if (parsed.kind == Kind::kLoad) {
    if (auto load = Keep(DecodeCollectionLoad(value), key)) parts.load = *load;
  } else if (parsed.kind == Kind::kPartitionLoad) {
    parts.loaded_partitions.insert(parsed.id);
  }
}

void CatalogState::StoreDatabase(DatabaseId id, std::string_view key, std::string_view value) {
  DatabaseParts& parts = databases_[id];
  dirty_databases_.insert(id);
  if (IsTombstone(value)) {
    parts.present = true;
    parts.tombstone = true;
    return;
  }
  if (auto database = Keep(DecodeDatabase(value), key)) {
    parts.present = true;
    parts.tombstone = false;
    parts.value = *std::move(database);
    parts.value.id = id;
  }
}

void CatalogState::StoreCollection(const CatalogKey& parsed, std::string_view key,
                                   std::string_view value) {
  CollectionParts& parts = collections_[parsed.id];
  dirty_collections_.insert(parsed.id);
  if (IsTombstone(value)) {
    parts.keys[parsed.owner] = std::nullopt;
    return;
  }
  if (auto collection = Keep(DecodeCollection(value), key)) {
    collection->id = parsed.id;
    collection->db_id = parsed.owner;
    parts.keys[parsed.owner] = *std::move(collection);
  }
}

void CatalogState::StorePartition(const CatalogKey& parsed, std::string_view key,
                                  std::string_view value) {
  CollectionParts& parts = collections_[parsed.owner];
  dirty_collections_.insert(parsed.owner);
  if (IsTombstone(value)) {
    SourcePartition& partition = parts.partitions[parsed.id];
    partition.id = parsed.id;
    partition.state = ObjectState::kDropped;
    return;
  }
  if (auto partition = Keep(DecodePartition(value), key)) {
    partition->id = parsed.id;
    parts.partitions[parsed.id] = *std::move(partition);
  }
}

void CatalogState::StoreAlias(const CatalogKey& parsed, std::string_view key,
                              std::string_view value) {
  if (IsTombstone(value)) {
    SetAlias(parsed, std::nullopt);
    return;
  }
  const auto alias = Keep(DecodeAlias(value), key);
  if (!alias) return;
  if (alias->state == ObjectState::kCreated && alias->collection != 0) {
    SetAlias(parsed, alias->collection);
  } else {
    SetAlias(parsed, std::nullopt);
  }
}

void CatalogState::SetAlias(const CatalogKey& parsed, std::optional<CollectionId> collection) {
  const std::pair<DatabaseId, std::string> name(parsed.owner, parsed.alias);
  if (const auto it = aliases_.find(name); it != aliases_.end()) {
    collections_[it->second].aliases.erase(name);
    dirty_collections_.insert(it->second);
    aliases_.erase(it);
  }
  if (collection) {
    aliases_[name] = *collection;
    collections_[*collection].aliases.insert(name);
    dirty_collections_.insert(*collection);
  }
}

void CatalogState::Erase(const CatalogKey& parsed) {
  using Kind = CatalogKey::Kind;
  if (parsed.kind == Kind::kDatabase) {
    databases_[parsed.owner].present = false;
    dirty_databases_.insert(parsed.owner);
    return;
  }
  if (parsed.kind == Kind::kAlias) {
    SetAlias(parsed, std::nullopt);
    return;
  }
  const CollectionId id = parsed.kind == Kind::kCollection ? parsed.id : parsed.owner;
  CollectionParts& parts = collections_[id];
  dirty_collections_.insert(id);
  switch (parsed.kind) {
    case Kind::kCollection:
      parts.keys.erase(parsed.owner);
      break;
    case Kind::kField:
      parts.fields.erase(parsed.id);
      break;
    case Kind::kFunction:
      parts.functions.erase(parsed.id);
      break;
    case Kind::kPartition:
      parts.partitions.erase(parsed.id);
      break;
    case Kind::kIndex:
      parts.indexes.erase(parsed.id);
      break;
    case Kind::kLoad:
      parts.load.reset();
      break;
    default:
      parts.loaded_partitions.erase(parsed.id);
      break;
  }
}

// ---- objects out ------------------------------------------------------------------------------

std::vector<DatabaseId> CatalogState::Databases() const {
  std::vector<DatabaseId> out;
  for (const auto& [id, parts] : databases_) {
    if (parts.present && !parts.tombstone) out.push_back(id);
  }
  return out;
}

CatalogState::Presence CatalogState::PresenceOf(const DatabaseParts& parts) {
  if (!parts.present) return Presence::kAbsent;
  if (parts.tombstone || parts.value.state == ObjectState::kDropped) return Presence::kMarkedGone;
  return parts.value.state == ObjectState::kCreating ? Presence::kHidden : Presence::kAlive;
}

CatalogState::Presence CatalogState::PresenceOf(const CollectionParts& parts,
                                                const SourceCollection** key) {
  bool hidden = false;
  for (const auto& [database, value] : parts.keys) {
    if (!value || value->state == ObjectState::kDropped) continue;
    if (value->state == ObjectState::kDropping) {
      *key = &*value;
      return Presence::kAlive;
    }
    const bool has_fields = !value->schema.fields.empty() ||
                            std::any_of(parts.fields.begin(), parts.fields.end(),
                                        [](const auto& field) { return field.second.primary_key; });
    if (value->state == ObjectState::kCreated && has_fields) {
      *key = &*value;
      return Presence::kAlive;
    }
    hidden = true;
  }
  if (hidden) return Presence::kHidden;
  return parts.keys.empty() ? Presence::kAbsent : Presence::kMarkedGone;
}

LoadState CatalogState::LoadOf(const CollectionParts& parts) {
  LoadState out;
  if (!parts.load) return out;
  out.replica_number = parts.load->replica_number;
  bool complete = true;
  std::set<PartitionId> loaded;
  for (const auto& [id, partition] : parts.partitions) {
    if (partition.state != ObjectState::kCreated) continue;
    if (parts.loaded_partitions.contains(id)) {
      loaded.insert(id);
    } else {
      complete = false;
    }
  }
  // Releasing a partition of a loaded collection deletes that partition's key and nothing else.
  // While a load is being accepted its partitions come one by one; without any key at all (before
  // 2.3) the collection's word counts.
  if (parts.load->whole && (complete || parts.load->loading || parts.loaded_partitions.empty())) {
    out.kind = LoadState::Kind::kCollection;
  } else if (!loaded.empty()) {
    out.kind = LoadState::Kind::kPartitions;
    out.partitions = std::move(loaded);
  }
  return out;
}

SourceCollection CatalogState::Assemble(const CollectionParts& parts, const SourceCollection& key) {
  if (key.state == ObjectState::kDropping && parts.published != nullptr) {
    SourceCollection out = *parts.published;
    out.state = key.state;
    return out;
  }
  SourceCollection out = key;
  for (const auto& [id, field] : parts.fields) AddField(field, &out.schema);
  for (const auto& [id, function] : parts.functions) out.schema.functions.push_back(function);
  for (const auto& [id, partition] : parts.partitions) {
    if (partition.state != ObjectState::kCreating && !partition.name.empty()) {
      out.partitions.emplace(id, partition);
    }
  }
  for (const auto& [id, index] : parts.indexes) {
    if (!index.deleted) out.indexes.emplace(id, index.index);
  }
  for (const auto& [database, alias] : parts.aliases) out.aliases.insert(alias);
  out.load = LoadOf(parts);
  return out;
}

void CatalogState::CollectDatabase(DatabaseId id, CatalogUpdate* out) {
  const auto it = databases_.find(id);
  if (it == databases_.end()) return;
  DatabaseParts& parts = it->second;
  const Presence presence = PresenceOf(parts);
  if (presence == Presence::kHidden) return;
  if (presence == Presence::kAlive) {
    parts.reported_gone = false;
    if (!out->full && parts.published == parts.value) return;
    parts.published = parts.value;
    out->databases.push_back(parts.value);
    return;
  }
  const bool marked = presence == Presence::kMarkedGone;
  const bool first = !parts.reported_gone && (marked || parts.published.has_value());
  if (first || (out->full && marked)) out->gone_databases.push_back({id, marked});
  parts.published.reset();
  parts.reported_gone = true;
  if (presence == Presence::kAbsent) databases_.erase(it);
}

void CatalogState::CollectCollection(CollectionId id, CatalogUpdate* out) {
  const auto it = collections_.find(id);
  if (it == collections_.end()) return;
  CollectionParts& parts = it->second;
  const SourceCollection* key = nullptr;
  const Presence presence = PresenceOf(parts, &key);
  if (presence == Presence::kHidden) {
    if (out->full && parts.published != nullptr) out->collections.push_back(parts.published);
    return;
  }
  if (presence == Presence::kAlive) {
    parts.reported_gone = false;
    SourceCollection next = Assemble(parts, *key);
    // Tombstones that a move to another database left behind say nothing about this object.
    std::erase_if(parts.keys, [](const auto& entry) { return !entry.second.has_value(); });
    const bool same = parts.published != nullptr && *parts.published == next;
    if (!same) parts.published = std::make_shared<const SourceCollection>(std::move(next));
    if (!same || out->full) out->collections.push_back(parts.published);
    return;
  }
  const bool marked = presence == Presence::kMarkedGone;
  const bool first = !parts.reported_gone && (marked || parts.published != nullptr);
  if (first || (out->full && marked)) out->gone_collections.push_back({id, marked});
  parts.published.reset();
  parts.reported_gone = true;
  if (parts.Nothing()) collections_.erase(it);
}

CatalogUpdate CatalogState::TakeChanges(int64_t watched) {
  CatalogUpdate out;
  out.revision = watched;
  for (const DatabaseId id : dirty_databases_) CollectDatabase(id, &out);
  for (const CollectionId id : dirty_collections_) CollectCollection(id, &out);
  dirty_databases_.clear();
  dirty_collections_.clear();
  ForgetDeletedKeys(watched);
  return out;
}

CatalogUpdate CatalogState::TakeAll(int64_t watched, const CatalogState* before) {
  if (before != nullptr) Inherit(*before);
  CatalogUpdate out;
  out.full = true;
  out.revision = watched;
  // Collecting may erase the entry.
  for (auto it = databases_.begin(); it != databases_.end();) CollectDatabase((it++)->first, &out);
  for (auto it = collections_.begin(); it != collections_.end();) {
    CollectCollection((it++)->first, &out);
  }
  dirty_databases_.clear();
  dirty_collections_.clear();
  ForgetDeletedKeys(watched);
  return out;
}

// What a new listing cannot know by itself: what was published, and names behind tombstones.
void CatalogState::Inherit(const CatalogState& before) {
  for (const auto& [id, old] : before.databases_) {
    if (old.published) databases_[id].published = old.published;
  }
  for (const auto& [id, old] : before.collections_) {
    if (old.published == nullptr) continue;
    CollectionParts& parts = collections_[id];
    parts.published = old.published;
    for (auto& [partition_id, partition] : parts.partitions) {
      const auto known = old.published->partitions.find(partition_id);
      if (!partition.name.empty() || known == old.published->partitions.end()) continue;
      partition.name = known->second.name;
      partition.create_ts = known->second.create_ts;
    }
  }
}

void CatalogState::ForgetDeletedKeys(int64_t watched) {
  for (auto it = deleted_keys_.begin(); it != deleted_keys_.end();) {
    const auto key = keys_.find(*it);
    if (key->second.mod_revision > watched) {
      ++it;
      continue;
    }
    keys_.erase(key);
    it = deleted_keys_.erase(it);
  }
}

}  // namespace cdc
