// Milvus' object ids. Ids of the source and of the target are different numbers for one object.
#pragma once

#include <cstdint>

namespace cdc {

using DatabaseId = int64_t;
using CollectionId = int64_t;
using PartitionId = int64_t;
using IndexId = int64_t;
using FieldId = int64_t;

inline constexpr PartitionId kAllPartitions = -1;  // partitionID of a delete that names none
inline constexpr const char* kDefaultDatabase = "default";

}  // namespace cdc
