// Rows of several source messages in one Insert or Upsert request, columns joined without decoding.
// Pure function; column bytes are shared, not copied. Field numbers: Milvus' schema.proto.
#pragma once

#include <optional>
#include <vector>

#include "base/wire.h"
#include "model/change.h"
#include "model/target.h"

namespace cdc {

enum class RowsCall { kInsert, kUpsert };

// `changes` are Inserts for one collection and partition. One change passes as it is. nullopt: the
// columns do not line up (another set of columns, sparse vectors, nulls in some only, unknown
// encodings): send them one by one.
std::optional<Slices> MergedRowsRequest(RowsCall call, const std::vector<const Change*>& changes,
                                        const TargetAddressOfRows& to);

}  // namespace cdc
