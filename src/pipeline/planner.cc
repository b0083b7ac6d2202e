#include "pipeline/planner.h"

#include <algorithm>
#include <utility>

namespace cdc {
namespace {

DdlStep Make(DdlStep::Kind kind, const TargetCollection& actual) {
  DdlStep step;
  step.kind = kind;
  step.name = actual.name;
  return step;
}

std::optional<DdlStep> PartitionStep(const SourceCollection& want, const TargetCollection& actual,
                                     const PlanContext& context) {
  if (context.ignore_partitions) return std::nullopt;
  if (want.schema.PartitionKey() != nullptr) return std::nullopt;  // made with the collection
  for (const auto& [id, partition] : want.partitions) {
    if (partition.state != ObjectState::kCreated) continue;
    if (actual.partitions.contains(partition.name)) continue;
    DdlStep step = Make(DdlStep::Kind::kCreatePartition, actual);
    step.partition = partition.name;
    step.ts = partition.create_ts;
    return step;
  }
  return std::nullopt;
}

std::optional<DdlStep> PropertiesStep(const SourceCollection& want,
                                      const TargetCollection& actual) {
  KeyValues changed;
  for (const auto& property : want.properties) {
    const bool same = std::find(actual.properties.begin(), actual.properties.end(), property) !=
                      actual.properties.end();
    if (!same) changed.push_back(property);
  }
  if (changed.empty()) return std::nullopt;
  DdlStep step = Make(DdlStep::Kind::kAlterProperties, actual);
  step.properties = std::move(changed);
  return step;
}

std::optional<DdlStep> AliasStep(const SourceCollection& want, const TargetCollection& actual,
                                 const PlanContext& context) {
  for (const std::string& alias : want.aliases) {
    if (actual.aliases.contains(alias)) continue;
    const bool alter = context.aliases_elsewhere.contains(alias);
    DdlStep step = Make(alter ? DdlStep::Kind::kAlterAlias : DdlStep::Kind::kCreateAlias, actual);
    step.alias = alias;
    return step;
  }
  for (const std::string& alias : actual.aliases) {
    if (want.aliases.contains(alias) || context.aliases_wanted_elsewhere.contains(alias)) continue;
    DdlStep step = Make(DdlStep::Kind::kDropAlias, actual);
    step.alias = alias;
    return step;
  }
  return std::nullopt;
}

const Field* FieldById(const CollectionSchema& schema, FieldId id) {
  for (const Field& field : schema.fields) {
    if (field.id == id) return &field;
  }
  return nullptr;
}

std::optional<DdlStep> ReleaseAll(const TargetCollection& actual) {
  if (actual.load == LoadState::Kind::kNone && !actual.loading) return std::nullopt;
  // It calls a collection without indexes loaded, whatever one does.
  if (actual.IsMilvusLite() && actual.indexes.empty()) return std::nullopt;
  return Make(DdlStep::Kind::kReleaseCollection, actual);
}

// milvus-lite names every index after its field.
bool SameName(const SourceIndex& want, const std::string& field, const TargetIndex& actual) {
  return actual.field == field && (actual.name == want.name || actual.name == field);
}

std::optional<DdlStep> IndexStep(const SourceCollection& want, const TargetCollection& actual,
                                 const PlanContext& context) {
  const auto fits = [&](const TargetIndex& index) {
    if (context.stale_indexes.contains(index.name)) return false;
    return std::any_of(want.indexes.begin(), want.indexes.end(), [&](const auto& entry) {
      const Field* field = FieldById(want.schema, entry.second.field_id);
      return field != nullptr && SameName(entry.second, field->name, index) &&
             SameIndexParams(entry.second.params, index.params);
    });
  };
  for (const TargetIndex& index : actual.indexes) {
    if (fits(index)) continue;
    if (auto release = ReleaseAll(actual)) return release;  // refused while loaded
    DdlStep step = Make(DdlStep::Kind::kDropIndex, actual);
    step.field = index.field;
    step.index = index.name;
    return step;
  }
  for (const auto& [id, index] : want.indexes) {
    const Field* field = FieldById(want.schema, index.field_id);
    if (field == nullptr) continue;
    const bool there =
        std::any_of(actual.indexes.begin(), actual.indexes.end(), [&](const TargetIndex& t) {
          return t.name == index.name || SameName(index, field->name, t);
        });
    if (there) continue;
    DdlStep step = Make(DdlStep::Kind::kCreateIndex, actual);
    step.field = field->name;
    step.index = index.name;
    step.properties = index.params;
    return step;
  }
  return std::nullopt;
}

std::set<std::string> NamesOf(const SourceCollection& want, const std::set<PartitionId>& ids) {
  std::set<std::string> names;
  for (const PartitionId id : ids) {
    const auto it = want.partitions.find(id);
    if (it != want.partitions.end() && it->second.state == ObjectState::kCreated) {
      names.insert(it->second.name);
    }
  }
  return names;
}

std::set<std::string> Loaded(const TargetCollection& actual) {
  if (actual.load != LoadState::Kind::kCollection) return actual.loaded_partitions;
  std::set<std::string> all;
  for (const auto& [name, id] : actual.partitions) all.insert(name);
  return all;
}

std::set<std::string> Minus(const std::set<std::string>& a, const std::set<std::string>& b) {
  std::set<std::string> out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::inserter(out, out.end()));
  return out;
}

bool VectorsIndexed(const TargetCollection& actual) {
  return std::all_of(actual.schema.fields.begin(), actual.schema.fields.end(), [&](const Field& f) {
    return !f.IsVector() ||
           std::any_of(actual.indexes.begin(), actual.indexes.end(),
                       [&](const TargetIndex& index) { return index.field == f.name; });
  });
}

std::optional<DdlStep> PartitionLoadStep(const SourceCollection& want,
                                         const TargetCollection& actual) {
  std::set<std::string> wanted = NamesOf(want, want.load.partitions);
  std::erase_if(wanted, [&](const std::string& name) { return !actual.partitions.contains(name); });
  const std::set<std::string> loaded = Loaded(actual);
  const std::set<std::string> missing = Minus(wanted, loaded);
  const std::set<std::string> surplus = Minus(loaded, wanted);
  DdlStep step = Make(DdlStep::Kind::kLoadPartitions, actual);
  step.replica_number = want.load.replica_number;
  if (!missing.empty()) {
    step.partition_names.assign(missing.begin(), missing.end());
    return step;
  }
  if (!surplus.empty() && !wanted.empty()) {
    step.kind = DdlStep::Kind::kReleasePartitions;
    step.partition_names.assign(surplus.begin(), surplus.end());
    return step;
  }
  return std::nullopt;
}

std::optional<DdlStep> LoadStep(const SourceCollection& want, const TargetCollection& actual,
                                const PlanContext& context) {
  if (context.load == LoadPolicy::kNever) return std::nullopt;
  if (context.load == LoadPolicy::kOnce && context.load_settled) return std::nullopt;
  if (want.load.kind == LoadState::Kind::kNone) return ReleaseAll(actual);
  if (actual.loading || !VectorsIndexed(actual)) return std::nullopt;
  if (want.load.kind == LoadState::Kind::kPartitions && !actual.IsMilvusLite()) {
    return PartitionLoadStep(want, actual);
  }
  std::set<std::string> all;
  for (const auto& [name, id] : actual.partitions) all.insert(name);
  if (actual.load != LoadState::Kind::kNone && Minus(all, Loaded(actual)).empty()) {
    return std::nullopt;
  }
  DdlStep step = Make(DdlStep::Kind::kLoadCollection, actual);
  step.replica_number = want.load.replica_number;
  return step;
}

}  // namespace

std::optional<DdlStep> NextStep(const SourceCollection& want, const TargetCollection& actual,
                                const PlanContext& context) {
  const auto usable = [&](const std::optional<DdlStep>& step) {
    return step.has_value() && !context.refused.contains(ToString(*step));
  };
  if (auto step = PartitionStep(want, actual, context); usable(step)) return step;
  if (auto step = PropertiesStep(want, actual); usable(step)) return step;
  if (auto step = AliasStep(want, actual, context); usable(step)) return step;
  if (auto step = IndexStep(want, actual, context); usable(step)) return step;
  if (auto step = LoadStep(want, actual, context); usable(step)) return step;
  return std::nullopt;
}

std::optional<DdlStep> StepBeforePartitionDrop(const TargetCollection& actual,
                                               const std::string& partition) {
  if (actual.IsMilvusLite()) return std::nullopt;  // drops it as it is
  if (!Loaded(actual).contains(partition) && !actual.loading) return std::nullopt;
  if (actual.load == LoadState::Kind::kPartitions && actual.loaded_partitions.size() > 1) {
    DdlStep step = Make(DdlStep::Kind::kReleasePartitions, actual);
    step.partition_names = {partition};
    return step;
  }
  return Make(DdlStep::Kind::kReleaseCollection, actual);
}

}  // namespace cdc
