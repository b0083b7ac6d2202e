// The part of the preflight that concerns the target.
#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/format.h"
#include "base/name_list.h"
#include "server/preflight.h"
#include "server/task_plan.h"
#include "sink/milvus/target_features.h"

namespace cdc {
namespace {

constexpr size_t kShown = 10;  // findings of one kind
constexpr char kUseToken[] =
    "use the token of a user that may list databases, and create, drop, index, load and write "
    "collections";

constexpr char kCorrectFiles[] = "correct dial_config: the files are read on this server's host";
constexpr char kCheckNames[] =
    "see whether the names are right, unless the collections are yet to be made: they are "
    "replicated as soon as they are created";

// What each of several collections has to say to one check.
struct Complaints {
  const char* check;
  const char* what_to_do;
  std::vector<std::string> texts;
};

std::string FieldOfAutoId(const CollectionSchema& schema) {
  const Field* key = schema.PrimaryKey();
  return key != nullptr && (key->auto_id || schema.auto_id) ? key->name : "";
}

// Somebody says so, or it was made by an earlier task, which the standby's birth time shows.
bool MayTakeOver(const TaskSpec& spec, const ResolvedMode& mode, const SourceCollection& source,
                 const TargetCollection& found) {
  if (spec.adopt || spec.start.adopted.contains(source.id)) return true;
  return mode.mode == TargetMode::kReplicate && found.created_ts == source.create_ts &&
         !spec.start.collections.contains(source.id);
}

}  // namespace

void Preflight::CheckTarget(const TaskSpec& spec, const std::optional<CatalogUpdate>& catalog) {
  std::optional<PlannedSource> plan;
  if (catalog) {
    Result<PlannedSource> planned = PlanSource(spec.selection, *catalog);
    if (!planned.ok()) {
      Say("selection.collections", Severity::kError, planned.error().message,
          "change collection_infos, db_collections or name_mapping");
    } else if (!planned->missing.empty()) {
      Say("selection.collections", Severity::kWarning,
          Format("the source has no {}; it has {}", NameList(planned->missing),
                 NameList({planned->names.begin(), planned->names.end()})),
          kCheckNames);
    } else if (planned->collections.empty()) {
      Say("selection.collections", Severity::kWarning,
          "none of the source's collections is selected now", kCheckNames);
    } else {
      Say("selection.collections", Severity::kOk,
          Format("{} collections are selected", planned->collections.size()));
    }
    if (planned.ok()) plan = *std::move(planned);
  }
  if (spec.mode == TargetMode::kBlackhole) return;
  const auto target = ports_.open_target(spec.target);
  if (!target.ok()) {
    Say("target.credentials", Severity::kError, target.error().message, kCorrectFiles);
    return;
  }
  const Result<ResolvedMode> mode = (*target)->Mode(spec.mode);
  CheckMode(spec, mode);
  if (!mode.ok()) return;
  CheckDatabases(spec, target->get());
  if (plan) CheckPlanned(spec, *mode, *plan, target->get());
}

std::vector<Finding> Preflight::RunCollections(const TaskSpec& spec, const ResolvedMode& mode,
                                               const PlannedSource& plan) {
  findings_.clear();
  creating_ = true;
  const auto target = ports_.open_target(spec.target);
  if (target.ok()) {
    CheckPlanned(spec, mode, plan, target->get());
  } else {
    Say("target.credentials", Severity::kError, target.error().message, kCorrectFiles);
  }
  return std::move(findings_);
}

void Preflight::CheckPlanned(const TaskSpec& spec, const ResolvedMode& mode,
                             const PlannedSource& plan, PreflightTarget* target) {
  if (plan.collections.empty()) return;
  std::vector<TargetName> own_names;
  std::vector<TargetName> names;
  for (const CollectionStatus& one : plan.collections) {
    own_names.push_back({one.source_db, one.source_collection});
    names.push_back({one.target_db, one.target_collection});
  }
  if (CheckIsSource(plan.sources, own_names, target)) return;
  CheckCollections(spec, mode, plan.sources, names, target);
}

void Preflight::CheckMode(const TaskSpec& spec, const Result<ResolvedMode>& mode) {
  if (mode.ok()) {
    Say("target.reachable", Severity::kOk, UriOf(spec.target) + " answers");
    Say("target.mode", Severity::kOk, Format("mode {}: {}", ToString(mode->mode), mode->reason));
    return;
  }
  const std::string& what = mode.error().message;
  switch (mode.error().kind) {
    case ErrorKind::kNotStandby:
      return Say("target.mode", Severity::kError, what,
                 "use mode api or auto; or make it a standby: common.ttMsgEnabled=false");
    case ErrorKind::kStandby:
      return Say("target.mode", Severity::kError, what,
                 "use mode replicate or auto; or make it a primary: common.ttMsgEnabled=true");
    case ErrorKind::kInvalid:
      return Say("target.credentials", Severity::kError, what,
                 "correct token, or username and password, of milvus_connect_param");
    default:
      return Say("target.reachable", Severity::kError, what,
                 "correct uri of milvus_connect_param, or start the target; https:// if it speaks "
                 "TLS, http:// if it does not");
  }
}

void Preflight::CheckDatabases(const TaskSpec& spec, PreflightTarget* target) {
  const auto databases = target->Databases();
  if (databases.ok()) {
    Say("target.privileges", Severity::kOk, "databases can be listed");
    return;
  }
  const Error& error = databases.error();
  if (error.kind == ErrorKind::kUnsupported) {
    const bool others = std::any_of(
        spec.selection.mappings.begin(), spec.selection.mappings.end(),
        [](const NameMapping& mapping) { return mapping.target_db != kDefaultDatabase; });
    if (!others) return;
    Say("target.databases", Severity::kError, error.message,
        "this target has no databases: map all to 'default'");
  } else if (error.IsRetry()) {
    Say("target.reachable", Severity::kError, error.message, "try again when the target answers");
  } else {
    Say("target.privileges", Severity::kError, error.message, kUseToken);
  }
}

// Replicating a Milvus into itself would feed it its own rows.
bool Preflight::CheckIsSource(const std::vector<SourceCollectionPtr>& collections,
                              const std::vector<TargetName>& own_names, PreflightTarget* target) {
  const size_t few = std::min(collections.size(), kShown);
  const auto found =
      target->Find({own_names.begin(), own_names.begin() + static_cast<std::ptrdiff_t>(few)});
  if (!found.ok()) return false;  // said where the names are looked at
  for (size_t i = 0; i < few; ++i) {
    const auto at = found->find(own_names[i]);
    if (at == found->end() || !at->second.IsItself(*collections[i])) continue;
    Say("target.is_source", Severity::kError,
        Format("the target is the source itself: its collection {} has the same id",
               ToString(own_names[i])),
        "give the address of another Milvus in milvus_connect_param");
    return true;
  }
  return false;
}

void Preflight::CheckCollections(const TaskSpec& spec, const ResolvedMode& mode,
                                 const std::vector<SourceCollectionPtr>& collections,
                                 const std::vector<TargetName>& names, PreflightTarget* target) {
  const bool api = mode.mode == TargetMode::kApi;
  const auto found = target->Find(names);
  if (!found.ok()) {
    const bool away = found.error().IsRetry();
    Say(away ? "target.reachable" : "target.privileges", Severity::kError, found.error().message,
        away ? "try again when the target answers" : kUseToken);
    return;
  }
  Complaints types{"target.types",
                   "leave the collection out with exclude_collections, or take a newer target",
                   {}};
  Complaints shards{"target.shards",
                    "drop or rename it on the target, or map the name with name_mapping: mode "
                    "replicate needs as many shards on both sides",
                    {}};
  Complaints clashes{
      "target.names", "drop or rename it on the target, or map the name with name_mapping", {}};
  Complaints strangers{"target.names",
                       "create the task with adopt: true to take it over; or drop or rename it on "
                       "the target, or map the name with name_mapping",
                       {}};
  std::vector<std::string> auto_ids;
  for (size_t i = 0; i < names.size(); ++i) {
    const SourceCollection& source = *collections[i];
    const std::string name = ToString(names[i]);
    const std::string missing = MissingFeature(source.schema, mode.version);
    if (!missing.empty()) types.texts.push_back(Format("collection {}: {}", name, missing));
    if (api && !FieldOfAutoId(source.schema).empty()) auto_ids.push_back(name);
    const auto at = found->find(names[i]);
    if (at == found->end()) continue;
    const std::string difference = SchemaDifference(source.schema, at->second.schema, api);
    if (!difference.empty()) {
      clashes.texts.push_back(
          Format("collection {} is on the target already and does not fit: {}", name, difference));
    } else if (!api && at->second.vchannels.size() != source.vchannels.size()) {
      shards.texts.push_back(
          Format("collection {} has {} shards at the source and {} on the target", name,
                 source.vchannels.size(), at->second.vchannels.size()));
    } else if (!creating_ && !MayTakeOver(spec, mode, source, at->second)) {
      strangers.texts.push_back(Format("collection {} is on the target already", name));
    }
  }
  bool all_well = true;
  for (const Complaints* one : {&types, &shards, &clashes, &strangers}) {
    for (size_t i = 0; i < one->texts.size() && i < kShown; ++i) {
      const bool last = i + 1 == kShown && one->texts.size() > kShown;
      const std::string more =
          last ? Format(" (and {} collections more)", one->texts.size() - kShown) : "";
      Say(one->check, Severity::kError, one->texts[i] + more, one->what_to_do);
      all_well = false;
    }
  }
  if (all_well) Say("target.names", Severity::kOk, "the target has room for all names");
  if (auto_ids.empty()) return;
  Say("target.auto_id", Severity::kWarning,
      Format("the keys of {} are made by the source; on the target autoID is off, so that they "
             "stay the same",
             NameList(auto_ids)),
      "after a failover applications must send keys themselves; a standby in mode replicate does "
      "without that");
}

}  // namespace cdc
