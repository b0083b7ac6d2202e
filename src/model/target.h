// What exists on a target, and the steps that change it. Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/catalog.h"
#include "model/task.h"

namespace cdc {

struct TargetIndex {
  std::string name;
  std::string field;
  KeyValues params;  // as the target reports them
};

// Do the index parameters that both sides name agree? A target may report fewer or more than the
// user gave, and write JSON values another way.
bool SameIndexParams(const KeyValues& a, const KeyValues& b);

struct TargetCollection {
  TargetName name;
  CollectionId id = 0;
  Timestamp created_ts = 0;
  CollectionSchema schema;
  int32_t consistency_level = 0;
  std::vector<std::string> vchannels;  // empty where the target has none (milvus-lite)
  std::vector<std::string> pchannels;
  KeyValues properties;
  std::map<std::string, PartitionId> partitions;
  std::vector<TargetIndex> indexes;
  std::set<std::string> aliases;
  LoadState::Kind load = LoadState::Kind::kNone;
  std::set<std::string> loaded_partitions;  // for kPartitions
  bool loading = false;                     // a load was accepted and is not finished yet

  // milvus-lite: no channels, whole collections are loaded only, and no ids (`id` is 1, and the
  // name says which collection it is).
  bool IsMilvusLite() const { return vchannels.empty(); }
  // Not a copy of `source`, but that collection: both sides are the same Milvus.
  bool IsItself(const SourceCollection& source) const {
    return id == source.id && vchannels == source.vchannels;
  }
};

// One change of the target's metadata; which members count depends on `kind`.
struct DdlStep {
  enum class Kind {
    kCreateDatabase,     // database
    kDropDatabase,       // database
    kCreateCollection,   // name, source; create_ts
    kDropCollection,     // name, ts
    kRenameCollection,   // name -> new_name
    kAlterProperties,    // name, properties
    kCreatePartition,    // name, partition, ts
    kDropPartition,      // name, partition, ts
    kCreateIndex,        // name, field, index, properties = index parameters
    kDropIndex,          // name, field, index
    kCreateAlias,        // name, alias
    kAlterAlias,         // name, alias
    kDropAlias,          // name.database, alias
    kLoadCollection,     // name, replica_number; accepted, not finished, when it returns
    kReleaseCollection,  // name
    kLoadPartitions,     // name, partition_names, replica_number
    kReleasePartitions,  // name, partition_names
    kFlush,              // name
  };
  Kind kind = Kind::kFlush;
  TargetName name;  // name.database alone for database steps
  TargetName new_name;
  SourceCollectionPtr source;  // for kCreateCollection
  std::string partition;
  std::string field;
  std::string index;
  std::string alias;
  KeyValues properties;
  std::vector<std::string> partition_names;
  int32_t replica_number = 1;
  Timestamp ts = 0;  // replicate mode: the source timestamp that the target shall give the object
};

// A change addressed to an object of the target.
struct TargetAddressOfRows {
  TargetName name;
  CollectionId collection_id = 0;
  std::string lane;      // that takes these rows
  std::string vchannel;  // of the shard with the same index as the source's
  std::string pchannel;
  std::string partition;  // target partition name; empty: none named (a delete of -1)
  PartitionId partition_id = kAllPartitions;
  FieldId primary_key = 0;  // field id of the primary key, in the source's rows
  std::string primary_key_name;
  // Fields with a default value: a request says of each of their rows whether it has a value.
  std::vector<FieldId> with_default;
  // It keeps dynamic fields that an upsert's new row lacks, subtracts in no expression, and loses
  // one of two writes that come at once.
  bool milvus_lite = false;
  bool partition_key = false;  // rows are routed by a partition key, never by partition name
};

const char* ToString(DdlStep::Kind kind);
// "create partition db.coll/part" for logs and errors.
std::string ToString(const DdlStep& step);

}  // namespace cdc
