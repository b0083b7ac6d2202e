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
  std::string partition;   // all but kReplicate; empty: none is named
  std::string expression;  // kDelete
  Slices request;          // all but kDelete
  size_t rows = 0;         // all but kReplicate
  bool alone = false;      // not while another such call is in flight
  // Calls of one number touch different rows: they may be in flight together. The numbers rise.
  size_t group = 0;
  // Leading items of the batch that are applied when this call and all before it have succeeded.
  size_t items_done = 0;
};

}  // namespace cdc
