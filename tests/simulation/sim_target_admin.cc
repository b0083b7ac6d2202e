// The metadata of SimTarget.
#include <algorithm>
#include <utility>

#include "sim_target.h"

namespace cdc::sim {

TargetState* SimTarget::Find(const TargetName& name) {
  for (auto& [id, state] : collections_) {
    if (state.meta.name == name) return &state;
  }
  return nullptr;
}

const TargetState* SimTarget::FindByName(const TargetName& name) const {
  return const_cast<SimTarget*>(this)->Find(name);
}

void SimTarget::ListDatabases(Callback<Result<std::vector<std::string>>> done) {
  executor_->PostAfter(random_.Millis(1, 20), [this, life = life_, done = std::move(done)] {
    if (life != life_) return;
    points_->At("list databases: answered");
    if (faults_->down || random_.Chance(faults_->admin_error)) {
      done(RetryError("simulated: the target is away", ErrorKind::kUnavailable));
      return;
    }
    done(std::vector<std::string>(databases_.begin(), databases_.end()));
  });
}

void SimTarget::Describe(TargetName name, Callback<Result<std::optional<TargetCollection>>> done) {
  executor_->PostAfter(random_.Millis(1, 20), [this, name, life = life_, done = std::move(done)] {
    if (life != life_) return;
    points_->At("describe: answered");
    if (faults_->down || random_.Chance(faults_->admin_error)) {
      done(RetryError("simulated: the target is away", ErrorKind::kUnavailable));
      return;
    }
    TargetState* state = Find(name);
    if (state == nullptr) {
      done(std::optional<TargetCollection>());
      return;
    }
    if (executor_->Now() >= state->loaded_at) state->meta.loading = false;
    done(std::optional<TargetCollection>(state->meta));
  });
}

void SimTarget::Apply(DdlStep step, Callback<Status> done) {
  const Duration wait = random_.Chance(0.05) ? random_.Millis(100, 800) : random_.Millis(1, 30);
  const bool fails = faults_->down || random_.Chance(faults_->admin_error);
  const bool applied = !fails || (!faults_->down && random_.Chance(0.5));
  const bool late = fails && !applied && random_.Chance(0.3);
  const bool survives = random_.Chance(0.5);
  auto result = std::make_shared<Status>();
  const uint64_t life = life_;
  const std::string name = std::string("apply ") + ToString(step.kind);
  points_->At(name + ": called");
  const Duration at = std::chrono::nanoseconds(random_.Below(static_cast<uint64_t>(wait.count())));
  executor_->PostAfter(at, [this, name, step, life, survives, applied, result] {
    // A crash cuts connections: what the target had not begun by then rarely happens.
    if (!applied || (life != life_ && (!survives || executor_->Now() > settled_at_.at(life))))
      return;
    if (report_->failed()) return;
    *result = ApplyStep(step);
    if (life == life_) points_->At(name + ": landed");
    report_->Trace("target: {}: {}", ToString(step), result->ok() ? "ok" : result->error().message);
  });
  executor_->PostAfter(wait, [this, name, step, late, life, fails, result, done = std::move(done)] {
    if (life != life_) return;
    if (late) {
      const auto settle = static_cast<uint64_t>(options_.settle.count());
      executor_->PostAfter(Duration(random_.Below(settle)), [this, step] {
        if (report_->failed()) return;
        const Status status = ApplyStep(step);
        report_->Trace("target: {} LATE: {}", ToString(step),
                       status.ok() ? "ok" : status.error().message);
      });
    }
    points_->At(name + (fails || !result->ok() ? ": failed" : ": answered"));
    done(fails ? Status(RetryError("simulated: no answer", ErrorKind::kUnknownOutcome)) : *result);
  });
}

Status SimTarget::ApplyStep(const DdlStep& step) {
  switch (step.kind) {
    case DdlStep::Kind::kCreateDatabase:
      databases_.insert(step.name.database);
      return OkStatus();
    case DdlStep::Kind::kDropDatabase:
      for (const auto& [id, state] : collections_) {
        if (state.meta.name.database == step.name.database) {
          return FatalError("database is not empty");
        }
      }
      databases_.erase(step.name.database);
      return OkStatus();
    case DdlStep::Kind::kCreateCollection:
      return CreateCollection(step);
    case DdlStep::Kind::kDropCollection:
      return DropCollection(step);
    case DdlStep::Kind::kDropAlias:
    case DdlStep::Kind::kCreateAlias:
    case DdlStep::Kind::kAlterAlias:
      return AliasStep(step);
    default:
      break;
  }
  TargetState* state = Find(step.name);
  if (state == nullptr) return FatalError("collection not found", ErrorKind::kNotFound);
  switch (step.kind) {
    case DdlStep::Kind::kRenameCollection:
      return Rename(step);
    case DdlStep::Kind::kCreatePartition:
      if (!state->meta.partitions.contains(step.partition)) {
        const PartitionId id = state->meta.partitions[step.partition] = NewId();
        const auto& born = source_->Get(state->source_id).born;
        const auto origin = born.find(step.ts);
        if (origin != born.end()) {
          state->origin[id] = origin->second;
          state->made_at[origin->second] = ComposeTimestamp(executor_->WallMillis());
        }
      }
      return OkStatus();
    case DdlStep::Kind::kDropPartition:
      return DropPartition(step);
    default:
      return IndexOrLoadStep(step);
  }
}

Status SimTarget::CreateCollection(const DdlStep& step) {
  if (!databases_.contains(step.name.database)) {
    report_->Violation("a collection is made in database {}, which is not there",
                       step.name.database);
    return FatalError("database not found");
  }
  const TargetState* there = FindByName(step.name);
  if (there != nullptr) {
    if (there->meta.vchannels.size() == step.source->vchannels.size()) return OkStatus();
    return FatalError("exists with other parameters", ErrorKind::kAlreadyExists);
  }
  const CollectionId id = NewId();
  TargetState& state = collections_[id];
  state.source_id = step.source->id;
  state.made_at[0] = ComposeTimestamp(executor_->WallMillis());
  TargetCollection& meta = state.meta;
  meta.id = id;
  meta.name = step.name;
  meta.schema = step.source->schema;
  meta.created_ts = options_.replicate ? step.ts : ++api_clock_;
  meta.partitions["_default"] = NewId();
  std::vector<int> all(static_cast<size_t>(options_.pchannels));
  for (int i = 0; i < options_.pchannels; ++i) all[i] = i + 8;  // sorts unlike its numbers
  std::vector<std::pair<std::string, std::string>> channels;
  for (size_t shard = 0; shard < step.source->vchannels.size(); ++shard) {
    const size_t pick = random_.Below(all.size());
    const std::string pchannel = Format("tgt-dml_{}", all[pick]);
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(pick));
    channels.emplace_back(Format("{}_{}v{}", pchannel, id, shard), pchannel);
  }
  if (random_.Chance(0.3)) std::reverse(channels.begin(), channels.end());
  for (const auto& [vchannel, pchannel] : channels) {
    meta.vchannels.push_back(vchannel);
    meta.pchannels.push_back(pchannel);
  }
  return OkStatus();
}

// Contract: dropped because the source says so, and after its last change on all channels.
void SimTarget::CheckDropAllowed(const TargetState& state, PartitionId source_partition) {
  const auto it = source_->collections().find(state.source_id);
  if (it == source_->collections().end()) {
    report_->Violation("{} is dropped and is not ours", state.meta.name.collection);
    return;
  }
  const ModelCollection& model = it->second;
  const bool whole = source_partition == 0;
  if (whole && model.meta.IsLive()) {
    report_->Violation("collection {} is dropped and lives at the source", model.meta.name);
    return;
  }
  const auto ends = model.ends_at_mark.find(source_partition);
  if (ends == model.ends_at_mark.end()) return;
  for (const uint64_t seq : model.messages) {
    const MessageInfo& info = source_->messages()[seq];
    if (info.position == 0 || info.position > ends->second[info.pchannel]) continue;
    if (!whole && info.partition != source_partition) continue;
    // The rows of a partition that was dropped before may be skipped.
    if (whole && model.ends_at_mark.contains(info.partition)) continue;
    // Made and recorded well before the change was written: a drop that is seen before that lets
    // the rows be skipped.
    const auto made = state.made_at.find(whole ? 0 : info.partition);
    const auto recorded = store_->RecordedAt(state.source_id, info.partition);
    if (made == state.made_at.end() || !recorded) continue;
    if (info.ts < std::max(made->second, *recorded) + ComposeTimestamp(2000)) continue;
    if (!IsApplied(seq)) {
      report_->Violation("{} (partition {}) is dropped before its message {} of ts {} was applied",
                         model.meta.name, source_partition, seq, info.ts);
      return;
    }
  }
}

Status SimTarget::DropCollection(const DdlStep& step) {
  const TargetState* state = FindByName(step.name);
  if (state == nullptr) return OkStatus();
  if (!state->meta.aliases.empty()) return FatalError("the collection has aliases");
  CheckDropAllowed(*state, 0);
  collections_.erase(state->meta.id);
  return OkStatus();
}

Status SimTarget::DropPartition(const DdlStep& step) {
  TargetState* state = Find(step.name);
  const auto it = state->meta.partitions.find(step.partition);
  if (it == state->meta.partitions.end()) return OkStatus();
  if (state->meta.load != LoadState::Kind::kNone &&
      (state->meta.load == LoadState::Kind::kCollection ||
       state->meta.loaded_partitions.contains(step.partition))) {
    return FatalError("the partition is loaded");
  }
  const ModelCollection& model = source_->Get(state->source_id);
  const auto origin = state->origin.find(it->second);
  if (origin == state->origin.end() || !model.ends_at_mark.contains(origin->second)) {
    report_->Violation("partition {} of {} is dropped and lives at the source", step.partition,
                       model.meta.name);
    return OkStatus();
  }
  CheckDropAllowed(*state, origin->second);
  const PartitionId gone = it->second;
  std::erase_if(state->rows, [&](const TargetRow& row) { return row.partition == gone; });
  state->meta.partitions.erase(it);
  return OkStatus();
}

Status SimTarget::Rename(const DdlStep& step) {
  if (FindByName(step.new_name) != nullptr) {
    return FatalError("the new name is taken", ErrorKind::kAlreadyExists);
  }
  Find(step.name)->meta.name = step.new_name;
  return OkStatus();
}

Status SimTarget::AliasStep(const DdlStep& step) {
  TargetState* holder = nullptr;
  for (auto& [id, state] : collections_) {
    if (state.meta.name.database == step.name.database && state.meta.aliases.contains(step.alias)) {
      holder = &state;
    }
  }
  if (step.kind == DdlStep::Kind::kDropAlias) {
    if (holder != nullptr) holder->meta.aliases.erase(step.alias);
    return OkStatus();
  }
  TargetState* state = Find(step.name);
  if (state == nullptr) return FatalError("collection not found", ErrorKind::kNotFound);
  if (holder == state) return OkStatus();
  if (step.kind == DdlStep::Kind::kCreateAlias && holder != nullptr) {
    return FatalError("the alias is taken", ErrorKind::kAlreadyExists);
  }
  if (holder != nullptr) holder->meta.aliases.erase(step.alias);
  state->meta.aliases.insert(step.alias);
  return OkStatus();
}

Status SimTarget::IndexOrLoadStep(const DdlStep& step) {
  TargetCollection& meta = Find(step.name)->meta;
  TargetState& state = collections_.at(meta.id);
  const bool loaded = meta.load != LoadState::Kind::kNone;
  const auto load = [&] { state.loaded_at = executor_->Now() + random_.Millis(10, 1500); };
  switch (step.kind) {
    case DdlStep::Kind::kCreateIndex:
      meta.indexes.push_back({step.index, step.field, step.properties});
      return OkStatus();
    case DdlStep::Kind::kDropIndex:
      if (loaded) return FatalError("the collection is loaded");
      std::erase_if(meta.indexes, [&](const TargetIndex& i) { return i.name == step.index; });
      return OkStatus();
    case DdlStep::Kind::kLoadCollection:
      if (meta.indexes.empty()) return FatalError("no index");
      meta.load = LoadState::Kind::kCollection;
      meta.loading = true;
      load();
      return OkStatus();
    case DdlStep::Kind::kReleaseCollection:
      meta.load = LoadState::Kind::kNone;
      meta.loaded_partitions.clear();
      meta.loading = false;
      return OkStatus();
    case DdlStep::Kind::kLoadPartitions:
      if (meta.indexes.empty()) return FatalError("no index");
      meta.load = LoadState::Kind::kPartitions;
      meta.loaded_partitions.insert(step.partition_names.begin(), step.partition_names.end());
      meta.loading = true;
      load();
      return OkStatus();
    case DdlStep::Kind::kReleasePartitions:
      if (meta.load == LoadState::Kind::kCollection) {
        for (const auto& [name, id] : meta.partitions) meta.loaded_partitions.insert(name);
        meta.load = LoadState::Kind::kPartitions;
      }
      for (const std::string& name : step.partition_names) meta.loaded_partitions.erase(name);
      return OkStatus();
    default:
      return OkStatus();
  }
}

// It is born now, and so are its rows: a Milvus may give them the time of the restore.
void SimTarget::Restore(const TargetName& name, const ModelCollection& model) {
  DdlStep step;
  step.name = name;
  step.source = std::make_shared<const SourceCollection>(model.meta);
  (void)CreateCollection(step);
  TargetState& state = *Find(name);
  const Timestamp now =
      options_.replicate ? ComposeTimestamp(executor_->WallMillis()) : ++api_clock_;
  state.meta.created_ts = now;
  for (const auto& [id, partition] : model.meta.partitions) {
    if (partition.state != ObjectState::kCreated) continue;
    PartitionId& there = state.meta.partitions[partition.name];
    if (there == 0) there = NewId();
    state.origin[there] = id;
    state.made_at[id] = state.made_at[0];
    const auto rows = model.rows.find(id);
    if (rows == model.rows.end()) continue;
    for (const auto& [key, uid] : rows->second) {
      state.rows.push_back({key, uid, now, there, ShardOf(key, model.pchannels.size())});
    }
  }
}

void SimTarget::AddStranger(const TargetName& name) {
  const CollectionId id = NewId();
  TargetCollection& meta = collections_[id].meta;
  meta.id = id;
  meta.name = name;
  meta.partitions["_default"] = NewId();
  meta.vchannels.push_back(Format("tgt-dml_8_{}v0", id));
  meta.pchannels.push_back("tgt-dml_8");
}

}  // namespace cdc::sim
