// The Reconciler's databases: made before their collections, dropped after the last of them, and
// only if this task made them.
#include <algorithm>
#include <utility>

#include "base/format.h"
#include "pipeline/reconciler.h"

namespace cdc {

void Reconciler::ApplyDatabase(const SourceDatabase& database) {
  if (database.state == ObjectState::kDropping || database.state == ObjectState::kDropped) {
    ApplyGoneDatabase({database.id, true});
    return;
  }
  databases_[database.id] = database;
  dropped_databases_.erase(database.id);
  if (!options_.selection.MatchesWholeDatabase(database.name)) return;
  const std::string target = options_.selection.MapDatabase(database.name);
  if (target == kDefaultDatabase) return;
  const auto record = database_records_.find(database.id);
  if (record != database_records_.end() && record->second.target_name == target &&
      target_databases_.contains(target)) {
    return;
  }
  InheritDatabase(database, target);
  EnsureDatabase(target, alive_.Guard([this, target, id = database.id](const Status& status) {
    const std::string key = "database " + target;
    host_->SetTrouble(key, nullptr);
    if (status.ok() || dropped_databases_.contains(id)) return;
    const Error error = status.error().Prefixed("create database " + target);
    host_->SetTrouble(key, &error);
    executor_->PostAfter(std::chrono::seconds(1), alive_.Guard([this, id, key] {
      host_->SetTrouble(key, nullptr);
      const auto live = databases_.find(id);
      if (live == databases_.end() || dropped_databases_.contains(id)) return;
      ApplyDatabase(SourceDatabase(live->second));
    }));
  }));
}

void Reconciler::ApplyGoneDatabase(const Gone<DatabaseId>& gone) {
  if (gone.marked) dropped_databases_.insert(gone.id);
}

// Dropped and made again under one name: what was ours on the target stays ours.
void Reconciler::InheritDatabase(const SourceDatabase& database, const std::string& target) {
  if (database_records_.contains(database.id)) return;
  const bool ours = std::any_of(
      database_records_.begin(), database_records_.end(),
      [&](const auto& entry) { return entry.second.ours && entry.second.target_name == target; });
  if (!ours) return;
  database_records_[database.id] = {database.id, database.name, target, true};
  unrecorded_databases_.insert(database.id);
  RecordRest();
}

void Reconciler::EnsureDatabase(const std::string& name, Callback<Status> done) {
  if (name == kDefaultDatabase || name.empty() || target_databases_.contains(name)) {
    executor_->Post([done = std::move(done)] { done(OkStatus()); });
    return;
  }
  auto& waiting = creating_databases_[name];
  waiting.push_back(std::move(done));
  // A drop under way comes first; its end goes on here.
  if (waiting.size() == 1 && !dropping_databases_.contains(name)) MakeDatabase(name);
}

// Makes the database on the target unless it is there; records first that it is ours.
void Reconciler::MakeDatabase(const std::string& name) {
  if (!settled_) {
    databases_to_settle_.insert(name);
    return;
  }
  const auto finish = [this, name](const Status& status) {
    if (status.ok()) target_databases_.insert(name);
    std::vector<Callback<Status>> callbacks = std::move(creating_databases_[name]);
    creating_databases_.erase(name);
    for (const Callback<Status>& callback : callbacks) callback(status);
    DropEmptyDatabases();
  };
  admin_->ListDatabases(alive_.Guard([this, name, finish](auto listed) {
    if (!listed.ok()) {
      finish(listed.error());
      return;
    }
    if (std::find(listed->begin(), listed->end(), name) != listed->end()) {
      finish(OkStatus());
      return;
    }
    ProgressWrite write;
    for (const auto& [id, database] : databases_) {
      if (options_.selection.MapDatabase(database.name) != name) continue;
      DatabaseRecord record{id, database.name, name, true};
      database_records_[id] = record;
      write.databases.push_back(std::move(record));
    }
    host_->Write(std::move(write), alive_.Guard([this, name, finish](const Status& written) {
      if (!written.ok()) {
        finish(written);
        return;
      }
      DdlStep step;
      step.kind = DdlStep::Kind::kCreateDatabase;
      step.name.database = name;
      ApplyOnTarget(std::move(step),
                    alive_.Guard([finish](const Status& status) { finish(status); }));
    }));
  }));
}

void Reconciler::DropEmptyDatabases() {
  if (halted_ || !settled_ || options_.drops == DropPolicy::kHold) return;
  for (const DatabaseId id : dropped_databases_) {
    const auto it = database_records_.find(id);
    if (it == database_records_.end() || !it->second.ours) continue;
    const std::string name = it->second.target_name;
    const bool used = std::any_of(objects_.begin(), objects_.end(), [&](const auto& entry) {
      return entry.second.name.database == name ||
             (entry.second.record && entry.second.record->name.database == name);
    });
    // Another live source database may be mapped onto the same target database.
    const bool shared = std::any_of(databases_.begin(), databases_.end(), [&](const auto& entry) {
      return !dropped_databases_.contains(entry.first) &&
             options_.selection.MapDatabase(entry.second.name) == name;
    });
    if (used || shared || creating_databases_.contains(name)) continue;
    if (!dropping_databases_.insert(name).second) continue;
    target_databases_.erase(name);
    DdlStep step;
    step.kind = DdlStep::Kind::kDropDatabase;
    step.name.database = name;
    ApplyOnTarget(step, alive_.Guard([this, id, name](const Status& status) {
      dropping_databases_.erase(name);
      if (creating_databases_.contains(name)) MakeDatabase(name);
      const std::string key = "drop database " + name;
      if (!status.ok() && status.error().kind != ErrorKind::kNotFound) {
        const Error error = RetryError(key + ": " + status.error().message);
        host_->SetTrouble(key, &error);
        executor_->PostAfter(std::chrono::seconds(2), alive_.Guard([this, key] {
          host_->SetTrouble(key, nullptr);  // it may be wanted again
          DropEmptyDatabases();
        }));
        return;
      }
      host_->SetTrouble(key, nullptr);
      database_records_.erase(id);
      dropped_databases_.erase(id);
      databases_.erase(id);
      unrecorded_databases_.insert(id);
      RecordRest();
    }));
  }
}

}  // namespace cdc
