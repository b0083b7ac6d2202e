#include "store/sqlite_store.h"

#include <utility>

#include "store/sqlite_db.h"
#include "store/sqlite_schema.h"
#include "store/sqlite_tables.h"
#include "store/threaded_store.h"

namespace cdc {
namespace {

class SqliteTables final : public StoreTables {
 public:
  SqliteTables(std::unique_ptr<StoreLock> lock, std::unique_ptr<SqliteDb> db)
      : lock_(std::move(lock)), db_(std::move(db)) {}

  Result<std::vector<StoredTask>> ListTasks() override { return SelectTasks(*db_); }
  Result<StoredTask> LoadTask(const std::string& task) override { return SelectTask(*db_, task); }
  Status AddTask(const StoredTask& task, const ProgressWrite& first) override {
    return InTransaction([&]() -> Status {
      CDC_RETURN_IF_ERROR(InsertTask(*db_, task));
      CDC_RETURN_IF_ERROR(CheckProgressWrite(*db_, first));
      return ApplyProgress(*db_, first);
    });
  }
  Status UpdateSpec(const TaskSpec& spec) override { return ReplaceSpec(*db_, spec); }
  Status UpdateState(const std::string& task, TaskState state, const std::string& reason) override {
    return ReplaceState(*db_, task, state, reason);
  }
  Status DeleteTask(const std::string& task) override { return EraseTask(*db_, task); }
  Result<TaskProgress> LoadProgress(const std::string& task) override {
    return SelectProgress(*db_, task);
  }
  Result<std::map<std::string, Timestamp>> LoadLaneFences(const std::string& target) override {
    return SelectLaneFences(*db_, target);
  }

  // One transaction, so one fsync. A write that is wrong by itself fails before it touches
  // anything.
  std::vector<Status> WriteProgress(const std::vector<const ProgressWrite*>& writes) override {
    std::vector<Status> outcomes(writes.size());
    const Status status = InTransaction([&]() -> Status {
      for (size_t i = 0; i < writes.size(); ++i) {
        outcomes[i] = CheckProgressWrite(*db_, *writes[i]);
        if (!outcomes[i].ok() && outcomes[i].error().kind == ErrorKind::kOther) return outcomes[i];
        if (outcomes[i].ok()) CDC_RETURN_IF_ERROR(ApplyProgress(*db_, *writes[i]));
      }
      return OkStatus();
    });
    if (!status.ok()) outcomes.assign(writes.size(), status);
    return outcomes;
  }

 private:
  template <typename Fn>
  Status InTransaction(Fn fn) {
    CDC_RETURN_IF_ERROR(db_->Exec("BEGIN IMMEDIATE"));
    Status status = fn();
    if (status.ok()) status = db_->Exec("COMMIT");
    if (!status.ok()) (void)db_->Exec("ROLLBACK");  // fails where SQLite has rolled back by itself
    return status;
  }

  std::unique_ptr<StoreLock> lock_;
  std::unique_ptr<SqliteDb> db_;
};

}  // namespace

Result<std::unique_ptr<StoreTables>> OpenSqliteTables(const std::string& path) {
  if (path.empty()) {
    return InvalidError("the store has no file name; set metaStoreConfig.sqlite.path");
  }
  CDC_ASSIGN_OR_RETURN(std::unique_ptr<StoreLock> lock, StoreLock::Take(path));
  CDC_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDb> db, OpenStoreFile(path));
  return std::unique_ptr<StoreTables>(
      std::make_unique<SqliteTables>(std::move(lock), std::move(db)));
}

Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path) {
  CDC_ASSIGN_OR_RETURN(std::unique_ptr<StoreTables> tables, OpenSqliteTables(path));
  return MakeThreadedStore(std::move(tables));
}

}  // namespace cdc
