#include "server/task_plan.h"

#include <map>

#include "base/format.h"

namespace cdc {

Result<PlannedSource> PlanSource(const Selection& selection, const CatalogUpdate& catalog) {
  PlannedSource plan;
  std::map<DatabaseId, std::string> databases;
  for (const SourceDatabase& database : catalog.databases) databases[database.id] = database.name;
  std::map<TargetName, std::string> targets;
  for (const SourceCollectionPtr& collection : catalog.collections) {
    if (!collection->IsLive()) continue;
    const auto database = databases.find(collection->db_id);
    const std::string db = database == databases.end() ? kDefaultDatabase : database->second;
    const std::string name = db + "." + collection->name;
    plan.names.insert(name);
    if (!selection.Matches(db, collection->name)) continue;
    plan.channels.insert(collection->pchannels.begin(), collection->pchannels.end());
    const TargetName target = selection.Map(db, collection->name);
    const auto [at, fresh] = targets.emplace(target, name);
    if (!fresh) {
      return InvalidError(
          Format("collections {} and {} would both be written to {}.{}; change "
                 "name_mapping",
                 at->second, name, target.database, target.collection));
    }
    plan.collections.push_back(
        {db, collection->name, collection->id, target.database, target.collection, ""});
    plan.sources.push_back(collection);
  }
  for (const NamePattern& include : selection.includes) {
    std::string name = include.database + "." + include.collection;
    if (include.exact() && !plan.names.contains(name)) plan.missing.push_back(std::move(name));
  }
  return plan;
}

}  // namespace cdc
