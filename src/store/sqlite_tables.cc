#include "store/sqlite_tables.h"

#include <cstdio>
#include <optional>

#include "store/rbac_json.h"
#include "store/store_tables.h"
#include "store/task_json.h"

namespace cdc {
namespace {

constexpr const char* kSelectTasks = "SELECT id, state, reason, spec, token FROM tasks ";

Result<StoredTask> ReadTask(const SqliteStatement& row) {
  StoredTask task;
  CDC_ASSIGN_OR_RETURN(task.state, ParseTaskState(row.Text(1)));
  task.reason = row.Text(2);
  CDC_ASSIGN_OR_RETURN(task.spec, TaskSpecFromJson(row.Text(3)));
  task.spec.id = row.Text(0);
  task.spec.target.token = row.Text(4);
  return task;
}

Result<bool> TaskExists(SqliteDb& db, const std::string& task) {
  SqliteStatement select(db, "SELECT 1 FROM tasks WHERE id = ?");
  return select.Bind(task).Step();
}

// Calls `on_row` for each row of `sql` with the task bound.
template <typename Fn>
Status ForEachRow(SqliteDb& db, const char* sql, const std::string& key, Fn on_row) {
  SqliteStatement select(db, sql);
  select.Bind(key);
  while (true) {
    CDC_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return OkStatus();
    CDC_RETURN_IF_ERROR(on_row(select));
  }
}

std::string PartitionsToText(const ObjectRecord& record) {
  std::vector<std::string> pairs;
  for (const auto& [source, target] : record.partitions) {
    pairs.push_back(std::to_string(source) + "=" + std::to_string(target));
  }
  return StringListToJson(pairs);
}

Status ReadPartitions(const std::string& text, ObjectRecord* record) {
  CDC_ASSIGN_OR_RETURN(const std::vector<std::string> pairs, StringListFromJson(text));
  for (const std::string& pair : pairs) {
    long long source = 0;
    long long target = 0;
    if (std::sscanf(pair.c_str(), "%lld=%lld", &source, &target) != 2) {
      return CorruptError("a stored partition pair cannot be read: " + pair);
    }
    record->partitions[source] = target;
  }
  return OkStatus();
}

Status ReadObjects(SqliteDb& db, const std::string& task, TaskProgress* progress) {
  return ForEachRow(db,
                    "SELECT source_id, database, collection, target_id, created_bits, pchannels, "
                    "partitions, moving_to FROM objects WHERE task = ?",
                    task, [&](const SqliteStatement& row) -> Status {
                      ObjectRecord record;
                      record.source_id = row.Int(0);
                      record.name = {row.Text(1), row.Text(2)};
                      record.target_id = row.Int(3);
                      record.created_ts = row.Bits(4);
                      CDC_ASSIGN_OR_RETURN(record.pchannels, StringListFromJson(row.Text(5)));
                      CDC_RETURN_IF_ERROR(ReadPartitions(row.Text(6), &record));
                      CDC_ASSIGN_OR_RETURN(const std::vector<std::string> moving_to,
                                           StringListFromJson(row.Text(7)));
                      if (moving_to.size() == 2) record.moving_to = {moving_to[0], moving_to[1]};
                      progress->objects[record.source_id] = std::move(record);
                      return OkStatus();
                    });
}

Status WriteChannels(SqliteDb& db, const ProgressWrite& write) {
  if (write.channels.empty()) return OkStatus();
  SqliteStatement put(db, "INSERT OR REPLACE INTO channels VALUES (?, ?, ?, ?, ?)");
  for (const ChannelCheckpoint& c : write.channels) {
    put.Bind(write.task).Bind(c.channel).Bind(ToString(c.seek));
    CDC_RETURN_IF_ERROR(put.BindBits(c.filter).BindBits(c.fence).Run());
  }
  return OkStatus();
}

Status WriteObjects(SqliteDb& db, const ProgressWrite& write) {
  if (!write.forgotten_objects.empty()) {
    SqliteStatement erase(db, "DELETE FROM objects WHERE task = ? AND source_id = ?");
    for (const CollectionId id : write.forgotten_objects) {
      CDC_RETURN_IF_ERROR(erase.Bind(write.task).Bind(id).Run());
    }
  }
  if (write.objects.empty()) return OkStatus();
  SqliteStatement put(db, "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  for (const ObjectRecord& o : write.objects) {
    put.Bind(write.task).Bind(o.source_id).Bind(o.name.database).Bind(o.name.collection);
    std::vector<std::string> moving_to;
    if (!o.moving_to.collection.empty()) {
      moving_to = {o.moving_to.database, o.moving_to.collection};
    }
    put.Bind(StringListToJson(moving_to));
    put.Bind(o.target_id).BindBits(o.created_ts).Bind(StringListToJson(o.pchannels));
    put.Bind(PartitionsToText(o));
    CDC_RETURN_IF_ERROR(put.Run());
  }
  return OkStatus();
}

Status WriteDatabases(SqliteDb& db, const ProgressWrite& write) {
  if (!write.forgotten_databases.empty()) {
    SqliteStatement erase(db, "DELETE FROM databases WHERE task = ? AND source_id = ?");
    for (const DatabaseId id : write.forgotten_databases) {
      CDC_RETURN_IF_ERROR(erase.Bind(write.task).Bind(id).Run());
    }
  }
  if (write.databases.empty()) return OkStatus();
  SqliteStatement put(db, "INSERT OR REPLACE INTO databases VALUES (?, ?, ?, ?, ?)");
  for (const DatabaseRecord& d : write.databases) {
    put.Bind(write.task).Bind(d.source_id).Bind(d.source_name).Bind(d.target_name);
    CDC_RETURN_IF_ERROR(put.Bind(static_cast<int64_t>(d.ours)).Run());
  }
  return OkStatus();
}

Status WriteLanes(SqliteDb& db, const ProgressWrite& write) {
  if (write.lanes.empty()) return OkStatus();
  SqliteStatement put(db, "INSERT OR REPLACE INTO lanes VALUES (?, ?, ?)");
  for (const LaneFence& lane : write.lanes) {
    CDC_RETURN_IF_ERROR(put.Bind(write.target).Bind(lane.lane).BindBits(lane.fence).Run());
  }
  return OkStatus();
}

}  // namespace

Result<std::vector<StoredTask>> SelectTasks(SqliteDb& db) {
  SqliteStatement select(db, (std::string(kSelectTasks) + "ORDER BY seq").c_str());
  std::vector<StoredTask> tasks;
  while (true) {
    CDC_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return tasks;
    CDC_ASSIGN_OR_RETURN(StoredTask task, ReadTask(select));
    tasks.push_back(std::move(task));
  }
}

Result<StoredTask> SelectTask(SqliteDb& db, const std::string& task) {
  SqliteStatement select(db, (std::string(kSelectTasks) + "WHERE id = ?").c_str());
  CDC_ASSIGN_OR_RETURN(const bool row, select.Bind(task).Step());
  if (!row) return NoSuchTask(task);
  return ReadTask(select);
}

Status InsertTask(SqliteDb& db, const StoredTask& task) {
  CDC_ASSIGN_OR_RETURN(const bool exists, TaskExists(db, task.spec.id));
  if (exists) return TaskExistsAlready(task.spec.id);
  SqliteStatement insert(db,
                         "INSERT INTO tasks (id, state, reason, spec, token) "
                         "VALUES (?, ?, ?, ?, ?)");
  insert.Bind(task.spec.id).Bind(ToString(task.state)).Bind(task.reason);
  return insert.Bind(TaskSpecToJson(task.spec)).Bind(task.spec.target.token).Run();
}

Status ReplaceSpec(SqliteDb& db, const TaskSpec& spec) {
  SqliteStatement update(db, "UPDATE tasks SET spec = ?, token = ? WHERE id = ?");
  update.Bind(TaskSpecToJson(spec)).Bind(spec.target.token).Bind(spec.id);
  CDC_RETURN_IF_ERROR(update.Run());
  return db.Changes() == 0 ? Status(NoSuchTask(spec.id)) : OkStatus();
}

Status ReplaceState(SqliteDb& db, const std::string& task, TaskState state,
                    const std::string& reason) {
  SqliteStatement update(db, "UPDATE tasks SET state = ?, reason = ? WHERE id = ?");
  CDC_RETURN_IF_ERROR(update.Bind(ToString(state)).Bind(reason).Bind(task).Run());
  return db.Changes() == 0 ? Status(NoSuchTask(task)) : OkStatus();
}

Status EraseTask(SqliteDb& db, const std::string& task) {
  SqliteStatement erase(db, "DELETE FROM tasks WHERE id = ?");
  CDC_RETURN_IF_ERROR(erase.Bind(task).Run());
  return db.Changes() == 0 ? Status(NoSuchTask(task)) : OkStatus();
}

Result<TaskProgress> SelectProgress(SqliteDb& db, const std::string& task) {
  CDC_ASSIGN_OR_RETURN(const bool exists, TaskExists(db, task));
  if (!exists) return NoSuchTask(task);
  TaskProgress progress;
  using Row = SqliteStatement;
  CDC_RETURN_IF_ERROR(
      ForEachRow(db, "SELECT channel, seek, filter_bits, fence_bits FROM channels WHERE task = ?",
                 task, [&](const Row& row) -> Status {
                   ChannelCheckpoint checkpoint;
                   checkpoint.channel = row.Text(0);
                   CDC_ASSIGN_OR_RETURN(checkpoint.seek, ParseLogPosition(row.Text(1)));
                   checkpoint.filter = row.Bits(2);
                   checkpoint.fence = row.Bits(3);
                   progress.channels[checkpoint.channel] = checkpoint;
                   return OkStatus();
                 }));
  CDC_RETURN_IF_ERROR(ForEachRow(
      db, "SELECT seek FROM operations WHERE task = ?", task, [&](const Row& row) -> Status {
        CDC_ASSIGN_OR_RETURN(LogPosition at, ParseLogPosition(row.Text(0)));
        progress.operations = at;
        return OkStatus();
      }));
  CDC_RETURN_IF_ERROR(ForEachRow(db, "SELECT cluster_bits, revision FROM sources WHERE task = ?",
                                 task, [&](const Row& row) -> Status {
                                   progress.source = {row.Bits(0), row.Int(1)};
                                   return OkStatus();
                                 }));
  CDC_RETURN_IF_ERROR(
      ForEachRow(db, "SELECT known FROM rbac WHERE task = ?", task, [&](const Row& row) -> Status {
        CDC_ASSIGN_OR_RETURN(progress.rbac, RbacFromJson(row.Text(0)));
        return OkStatus();
      }));
  CDC_RETURN_IF_ERROR(ReadObjects(db, task, &progress));
  CDC_RETURN_IF_ERROR(ForEachRow(
      db, "SELECT source_id, source_name, target_name, ours FROM databases WHERE task = ?", task,
      [&](const Row& row) -> Status {
        progress.databases[row.Int(0)] = {row.Int(0), row.Text(1), row.Text(2), row.Int(3) != 0};
        return OkStatus();
      }));
  return progress;
}

Result<std::map<std::string, Timestamp>> SelectLaneFences(SqliteDb& db, const std::string& target) {
  std::map<std::string, Timestamp> fences;
  CDC_RETURN_IF_ERROR(ForEachRow(db, "SELECT lane, fence_bits FROM lanes WHERE target = ?", target,
                                 [&](const SqliteStatement& row) -> Status {
                                   fences[row.Text(0)] = row.Bits(1);
                                   return OkStatus();
                                 }));
  return fences;
}

Status CheckProgressWrite(SqliteDb& db, const ProgressWrite& write) {
  CDC_RETURN_IF_ERROR(CheckWrite(write));
  if (write.task.empty()) return OkStatus();
  CDC_ASSIGN_OR_RETURN(const bool exists, TaskExists(db, write.task));
  return exists ? OkStatus() : Status(NoSuchTask(write.task));
}

Status ApplyProgress(SqliteDb& db, const ProgressWrite& write) {
  CDC_RETURN_IF_ERROR(WriteChannels(db, write));
  if (write.operations.has_value()) {
    SqliteStatement put(db, "INSERT OR REPLACE INTO operations VALUES (?, ?)");
    CDC_RETURN_IF_ERROR(put.Bind(write.task).Bind(ToString(*write.operations)).Run());
  }
  if (write.source.has_value()) {
    SqliteStatement put(db, "INSERT OR REPLACE INTO sources VALUES (?, ?, ?)");
    put.Bind(write.task).BindBits(write.source->cluster_id);
    CDC_RETURN_IF_ERROR(put.Bind(write.source->revision).Run());
  }
  if (write.rbac.has_value()) {
    SqliteStatement put(db, "INSERT OR REPLACE INTO rbac VALUES (?, ?)");
    CDC_RETURN_IF_ERROR(put.Bind(write.task).Bind(RbacToJson(*write.rbac)).Run());
  }
  CDC_RETURN_IF_ERROR(WriteObjects(db, write));
  CDC_RETURN_IF_ERROR(WriteDatabases(db, write));
  return WriteLanes(db, write);
}

}  // namespace cdc
