// One call to the target, planned from a lane's batch (replicate_plan.h, api_plan.h) and made by
// MilvusSink.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/wire.h"
#include "model/target.h"

namespace cdc {

// [begin, end) of the items of a batch.
struct ItemRange {
  size_t begin = 0;
  size_t end = 0;
};

inline void Include(ItemRange items, std::vector<ItemRange>* ranges) {
  if (!ranges->empty() && ranges->back().end == items.begin) {
    ranges->back().end = items.end;
  } else {
    ranges->push_back(items);
  }
}

struct PlannedCall {
  enum class Kind { kReplicate, kInsert, kUpsert, kDelete };
  Kind kind = Kind::kReplicate;
  TargetName name;         // all but kReplicate
  std::string partition;   // all but kReplicate; empty: none is named
  std::string expression;  // kDelete
  Slices request;          // all but kDelete
  size_t rows = 0;         // all but kReplicate
  bool alone = false;      // not while another such call is in flight
  bool divisible = false;  // a plan with a lower limit may make several calls of it
  // What it applies, or a part of: an item is applied when all calls that carry it have succeeded.
  std::vector<ItemRange> carries;
  // Calls of one number touch different rows: they may be in flight together. The numbers rise.
  size_t group = 0;
  // Leading items of the batch that are applied when this call and all before it have succeeded.
  size_t items_done = 0;

  size_t counted = 0;  // kReplicate: bytes of the messages before they were joined

  // What the limits of a plan bound.
  size_t bytes() const {
    if (kind == Kind::kReplicate) return counted;
    return kind == Kind::kDelete ? expression.size() : request.size();
  }
};

}  // namespace cdc
