// What a lane's batch becomes on an ordinary Milvus: Insert, Upsert and Delete calls in groups, to
// be made one group after another; the calls of a group in any order or together. Pure function.
//
// Order is kept where it can be seen: neighbouring changes of one kind that touch different keys
// are joined into one call per partition, nothing else moves. A delete and the inserts of the same
// timestamp, partition and keys (an upsert of the source) become one Upsert when every key is named
// once. A replayed insert becomes an Upsert too, or a delete and an insert where an Upsert would do
// something else: a key twice in one message (an Upsert would leave both), and rows that a
// partition key routes (an Upsert removes copies under every partition key, and so does the delete
// here: Milvus takes no partition name then; an upserted key has one copy only, so nothing is lost
// unless plain inserts put one key under several partition keys).
#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "base/result.h"
#include "pipeline/ports.h"
#include "sink/milvus/planned_call.h"

namespace cdc {

struct ApiPlanOptions {
  size_t max_bytes = 16u << 20;  // of a joined call; one larger message travels alone
  size_t max_expression_bytes = 1u << 20;
  // Of several messages that form one upsert. A larger one is a delete and inserts.
  size_t max_upsert_bytes = std::numeric_limits<size_t>::max();
};

// Errors: corrupt (keys that cannot be read); nothing of the batch may be sent then.
Result<std::vector<PlannedCall>> PlanApiCalls(const LaneBatch& batch,
                                              const ApiPlanOptions& options);

}  // namespace cdc
