// Values that Milvus keeps in etcd, decoded into the model. Own types only.
//
// Pure functions, any thread. Errors: corrupt (the value is not the protobuf message that the key
// promises); a tombstone is not a message, so ask IsTombstone first.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/catalog.h"

namespace cdc {

// Milvus 2.3 to 2.6.14 overwrites a deleted key with the three bytes of "⛼" instead of deleting it.
bool IsTombstone(std::string_view value);

Result<SourceDatabase> DecodeDatabase(std::string_view value);

// The collection without what has keys of its own: partitions, indexes, aliases, load state, and
// normally the fields and functions (Milvus before 2.1 kept them inline; they are taken then).
Result<SourceCollection> DecodeCollection(std::string_view value);

Result<Field> DecodeField(std::string_view value);

Result<Function> DecodeFunction(std::string_view value);

Result<SourcePartition> DecodePartition(std::string_view value);

struct AliasValue {
  std::string name;
  CollectionId collection = 0;
  DatabaseId database = 0;
  ObjectState state = ObjectState::kCreated;
};
Result<AliasValue> DecodeAlias(std::string_view value);

struct IndexValue {
  SourceIndex index;
  bool deleted = false;
};
Result<IndexValue> DecodeIndex(std::string_view value);

struct CollectionLoadValue {
  bool whole = false;    // loaded as a collection; false: partition by partition
  bool loading = false;  // accepted and not finished; partitions may still be missing
  int32_t replica_number = 1;
};
Result<CollectionLoadValue> DecodeCollectionLoad(std::string_view value);

}  // namespace cdc
