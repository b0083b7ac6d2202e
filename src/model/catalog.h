// What exists on a source: databases, collections and all that hangs on them, as plain values.
//
// A SourceCollection is published whole and immutable (shared_ptr<const>): whoever holds one sees a
// consistent state of it. Wire facts: etcd_meta.proto, index.proto and query loadinfo of 2.3
// to 2.5.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "model/ids.h"
#include "model/schema.h"
#include "model/timestamp.h"

namespace cdc {

enum class ObjectState { kCreating, kCreated, kDropping, kDropped };

struct SourceDatabase {
  DatabaseId id = 0;
  std::string name;
  ObjectState state = ObjectState::kCreated;
  KeyValues properties;
  bool operator==(const SourceDatabase&) const = default;
};

struct SourcePartition {
  PartitionId id = 0;
  std::string name;
  ObjectState state = ObjectState::kCreated;
  Timestamp create_ts = 0;
  bool operator==(const SourcePartition&) const = default;
};

struct SourceIndex {
  IndexId id = 0;
  FieldId field_id = 0;
  std::string name;
  KeyValues params;  // as the user gave them (user_index_params), not as the server expanded them
  bool operator==(const SourceIndex&) const = default;
};

struct LoadState {
  enum class Kind { kNone, kPartitions, kCollection };
  Kind kind = Kind::kNone;
  int32_t replica_number = 1;
  std::set<PartitionId> partitions;  // for kPartitions
  bool operator==(const LoadState&) const = default;
};

struct SourceCollection {
  CollectionId id = 0;
  DatabaseId db_id = 0;
  std::string name;
  CollectionSchema schema;
  Timestamp create_ts = 0;
  ObjectState state = ObjectState::kCreated;
  int32_t consistency_level = 0;
  std::vector<std::string> vchannels;                  // index = shard index
  std::vector<std::string> pchannels;                  // physical channel of each vchannel
  std::map<std::string, std::string> start_positions;  // pchannel -> raw message id bytes
  KeyValues properties;
  std::map<PartitionId, SourcePartition> partitions;  // dropping and dropped ones included
  std::map<IndexId, SourceIndex> indexes;
  std::set<std::string> aliases;
  LoadState load;

  bool IsLive() const { return state == ObjectState::kCreated; }
  bool operator==(const SourceCollection&) const = default;
};
using SourceCollectionPtr = std::shared_ptr<const SourceCollection>;

// An object whose key is gone, or holds the deletion mark.
template <typename Id>
struct Gone {
  Id id = 0;
  bool marked = false;  // true: a tombstone was seen. false: the key is simply absent
  bool operator==(const Gone&) const = default;
};

// One consistent step of a source's metadata.
struct CatalogUpdate {
  uint64_t cluster_id = 0;                // etcd cluster id: another one means another etcd
  int64_t revision = 0;                   // etcd revision up to which this update is complete
  bool full = false;                      // a complete listing: what it does not contain is absent
  std::vector<SourceDatabase> databases;  // new or changed (all of them when full)
  std::vector<SourceCollectionPtr> collections;  // new or changed (all of them when full)
  std::vector<Gone<DatabaseId>> gone_databases;
  std::vector<Gone<CollectionId>> gone_collections;
};

}  // namespace cdc
