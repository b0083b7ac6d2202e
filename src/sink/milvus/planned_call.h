// One call to the target, planned from a lane's batch (replicate_plan.h, api_plan.h) and made by
// MilvusSink.
#pragma once

#include <cstddef>
#include <string>

#include "base/wire.h"
#include "model/target.h"

namespace cdc {

struct PlannedCall {
  enum class Kind { kReplicate, kInsert, kUpsert, kDelete };
  Kind kind = Kind::kReplicate;
  TargetName name;         // all but kReplicate
  std::string partition;   // kDelete: empty means all partitions
  std::string expression;  // kDelete
  Slices request;          // all but kDelete
  size_t rows = 0;         // all but kReplicate
  bool alone = false;      // not while another such call is in flight
  size_t items_done = 0;   // leading items of the batch that are applied when this call succeeds
};

}  // namespace cdc
