// What a task would replicate of its source as that is now. Pure functions.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/catalog.h"
#include "model/task.h"
#include "server/task_status.h"

namespace cdc {

struct PlannedSource {
  std::set<std::string> channels;             // to be read
  std::vector<CollectionStatus> collections;  // names and ids alone
  std::vector<SourceCollectionPtr> sources;   // what they are at the source, in the same order
  std::set<std::string> names;                // of all that the source has, "database.collection"
  // Named without a pattern and not there: replicated as soon as they are created.
  std::vector<std::string> missing;
};

// kInvalid: two collections would get one name on the target.
Result<PlannedSource> PlanSource(const Selection& selection, const CatalogUpdate& catalog);

}  // namespace cdc
