// What the store's tables hold, read and written. Private to store/; on the store's thread only.
// None of these begins or ends a transaction.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/sqlite_db.h"
#include "store/store.h"

namespace cdc {

Result<std::vector<StoredTask>> SelectTasks(SqliteDb& db);
Result<StoredTask> SelectTask(SqliteDb& db, const std::string& task);
Status InsertTask(SqliteDb& db, const StoredTask& task);
Status ReplaceSpec(SqliteDb& db, const TaskSpec& spec);
Status ReplaceState(SqliteDb& db, const std::string& task, TaskState state,
                    const std::string& reason);
Status EraseTask(SqliteDb& db, const std::string& task);

Result<TaskProgress> SelectProgress(SqliteDb& db, const std::string& task);
Result<std::map<std::string, Timestamp>> SelectLaneFences(SqliteDb& db, const std::string& target);
// kNotFound or kInvalid when the write as such cannot be made; other errors are the database's.
Status CheckProgressWrite(SqliteDb& db, const ProgressWrite& write);
Status ApplyProgress(SqliteDb& db, const ProgressWrite& write);

}  // namespace cdc
