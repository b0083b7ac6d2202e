// What a lane's batch becomes on a standby: the ReplicateMessage calls, in order. Pure function.
#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "pipeline/ports.h"
#include "sink/milvus/planned_call.h"

namespace cdc {

// One call unless the messages exceed `max_bytes` together (one larger message travels alone; those
// of one item part only if they have to). The tick goes last. A replayed insert becomes a delete at
// stamp - 1 and the insert at its stamp. Small inserts of one partition and shard, with no delete,
// drop or replay of that shard between them, are joined to messages of 256 KiB at most: a message
// costs the target as much as a hundred rows, and its consumers take what lies between two ticks
// together. Errors: corrupt (a replay whose keys cannot be read); nothing of the batch may be sent
// then.
Result<std::vector<PlannedCall>> PlanReplicateCalls(const LaneBatch& batch, size_t max_bytes);

}  // namespace cdc
