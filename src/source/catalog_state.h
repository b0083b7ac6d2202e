// CatalogState: turns single etcd keys of a source's metadata into whole catalog objects.
//
// Pure and deterministic: keys go in, changed objects come out. Owned by the catalog feed, not
// thread-safe, never blocks. Keys may come twice and out of order (a watch and a Refresh overlap):
// per key the newest modification wins.
//
// When an object is published
//  - A collection in state Created, as soon as its fields are there; in state Dropping always, with
//    everything it last had, since Milvus removes its pieces while it drops. Never while Creating.
//  - Gone, marked: its key holds a tombstone or state Dropped, and no other key (a rename moves the
//    key to another database) holds the object. Gone, unmarked: a published object's key was
//    deleted without such a mark. Either is reported once, and again only in a full update.
//  - A partition with a tombstone stays in its collection as Dropped, as long as its name is known.
// An undecodable value keeps what was known before, and TakeProblems() tells.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/etcd/etcd_client.h"
#include "client/milvus/meta_codec.h"
#include "model/catalog.h"
#include "source/catalog_keys.h"

namespace cdc {

class CatalogState {
 public:
  explicit CatalogState(CatalogKeys keys) : layout_(std::move(keys)) {}

  void Put(std::string_view key, std::string_view value, int64_t mod_revision);
  void Delete(std::string_view key, int64_t mod_revision);
  // `kvs` is all that the interval held at `revision`: other keys of it are deleted.
  void ReplaceInterval(const EtcdInterval& interval, const std::vector<EtcdKeyValue>& kvs,
                       int64_t revision);

  // Databases with a key that is no tombstone.
  std::vector<DatabaseId> Databases() const;

  // Everything that changed since the last Take; cluster_id is the caller's to set. `watched`: the
  // revision up to which every change is in; the memory of keys deleted before it is given up.
  CatalogUpdate TakeChanges(int64_t watched);
  // Everything there is, tombstones included. What `before` (the state before a new listing, or
  // null) had published and is not here is reported gone, unmarked.
  CatalogUpdate TakeAll(int64_t watched, const CatalogState* before);

  bool empty() const { return keys_.empty(); }
  // Values that could not be decoded since the last call, one line each.
  std::vector<std::string> TakeProblems() { return std::exchange(problems_, {}); }

 private:
  struct KeyVersion {
    int64_t mod_revision = 0;
    bool deleted = false;  // remembered until the watch has passed it
  };
  struct DatabaseParts {
    bool present = false;
    bool tombstone = false;
    SourceDatabase value;
    std::optional<SourceDatabase> published;
    bool reported_gone = false;
  };
  // An empty value is a tombstone.
  using CollectionValue = std::optional<SourceCollection>;
  struct CollectionParts {
    std::map<DatabaseId, CollectionValue> keys;  // one, or two after a move
    std::map<FieldId, Field> fields;
    std::map<int64_t, Function> functions;
    std::map<PartitionId, SourcePartition> partitions;
    std::map<IndexId, IndexValue> indexes;
    std::optional<CollectionLoadValue> load;
    std::set<PartitionId> loaded_partitions;
    std::set<std::pair<DatabaseId, std::string>> aliases;
    SourceCollectionPtr published;
    bool reported_gone = false;

    bool Nothing() const;
  };
  // kHidden: there, but not to be published (yet).
  enum class Presence { kAbsent, kHidden, kAlive, kMarkedGone };

  // False: this version of the key, or a newer one, is known.
  bool Advance(std::string_view key, int64_t mod_revision, bool deleted);
  void Store(const CatalogKey& parsed, std::string_view key, std::string_view value);
  void StoreDatabase(DatabaseId id, std::string_view key, std::string_view value);
  void StoreCollection(const CatalogKey& parsed, std::string_view key, std::string_view value);
  void StorePartition(const CatalogKey& parsed, std::string_view key, std::string_view value);
  void StoreAlias(const CatalogKey& parsed, std::string_view key, std::string_view value);
  void SetAlias(const CatalogKey& parsed, std::optional<CollectionId> collection);
  void Erase(const CatalogKey& parsed);
  template <typename T>
  std::optional<T> Keep(Result<T> decoded, std::string_view key);

  static Presence PresenceOf(const DatabaseParts& parts);
  static Presence PresenceOf(const CollectionParts& parts, const SourceCollection** key);
  static SourceCollection Assemble(const CollectionParts& parts, const SourceCollection& key);
  static LoadState LoadOf(const CollectionParts& parts);
  void CollectDatabase(DatabaseId id, CatalogUpdate* out);
  void CollectCollection(CollectionId id, CatalogUpdate* out);
  void Inherit(const CatalogState& before);
  void ForgetDeletedKeys(int64_t watched);

  const CatalogKeys layout_;
  std::map<std::string, KeyVersion, std::less<>> keys_;
  std::set<std::string> deleted_keys_;
  std::map<DatabaseId, DatabaseParts> databases_;
  std::map<CollectionId, CollectionParts> collections_;
  std::map<std::pair<DatabaseId, std::string>, CollectionId> aliases_;
  std::set<DatabaseId> dirty_databases_;
  std::set<CollectionId> dirty_collections_;
  std::vector<std::string> problems_;
};

}  // namespace cdc
