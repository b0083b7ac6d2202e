// Do two tasks on one target select the same collections? Pure functions.
//
// A selection that is broader than an existing one gets the existing one as an exclude, so "first
// one collection, then all the others" works; the other way round is refused, as is an equal or a
// partly overlapping selection.
#pragma once

#include <vector>

#include "base/result.h"
#include "model/task.h"

namespace cdc {

// `existing`: the selections of all other tasks on the same target. Adds excludes to `fresh`, or
// answers kConflict: "the collection name is duplicate with existing task, [db.collection ...]".
Status ResolveOverlap(const std::vector<Selection>& existing, Selection* fresh);

}  // namespace cdc
