#include "store/mysql_kv.h"

#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "store/mysql_db.h"

namespace cdc {
namespace {

constexpr size_t kLongestRoot = 250;

constexpr char kEngine[] =
    "SELECT engine FROM information_schema.tables "
    "WHERE table_schema = DATABASE() AND table_name = 'milvus_cdc_kv'";
constexpr char kCreate[] =
    "CREATE TABLE IF NOT EXISTS milvus_cdc_kv (k VARBINARY(700) NOT NULL PRIMARY KEY, "
    "v LONGBLOB NOT NULL) ENGINE=InnoDB";
// Locks are waited for less long than answers; what does not fit is an error, not cut off.
constexpr char kSession[] =
    "SET SESSION autocommit = 1, innodb_lock_wait_timeout = 3, sql_mode = 'STRICT_ALL_TABLES'";
constexpr char kGet[] = "SELECT v FROM milvus_cdc_kv WHERE k = ?";
constexpr char kLock[] = "SELECT v FROM milvus_cdc_kv WHERE k = ? FOR UPDATE";
constexpr char kList[] = "SELECT k, v FROM milvus_cdc_kv WHERE k >= ? AND k < ? ORDER BY k";
constexpr char kPut[] =
    "INSERT INTO milvus_cdc_kv (k, v) VALUES (?, ?) ON DUPLICATE KEY UPDATE v = VALUES(v)";
constexpr char kErase[] = "DELETE FROM milvus_cdc_kv WHERE k = ?";
constexpr char kErasePrefix[] = "DELETE FROM milvus_cdc_kv WHERE k >= ? AND k < ?";

// Behind all keys that begin so. Precondition: it ends with a sign of ASCII.
std::string EndOf(std::string prefix) {
  prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

class MysqlKv final : public KvDb {
 public:
  MysqlKv(MysqlDsn dsn, std::string place) : dsn_(std::move(dsn)), place_(std::move(place)) {}

  Result<std::optional<std::string>> Get(const std::string& key) override {
    CDC_ASSIGN_OR_RETURN(std::vector<MysqlDb::Row> rows, Query(kGet, {place_ + key}));
    if (rows.empty()) return std::optional<std::string>();
    return std::optional<std::string>(std::move(rows[0][0]));
  }

  Result<std::map<std::string, std::string>> List(const std::string& prefix) override {
    const std::string begin = place_ + prefix;
    CDC_ASSIGN_OR_RETURN(std::vector<MysqlDb::Row> rows, Query(kList, {begin, EndOf(begin)}));
    std::map<std::string, std::string> found;
    for (MysqlDb::Row& row : rows) {
      found.emplace_hint(found.end(), row[0].substr(place_.size()), std::move(row[1]));
    }
    return found;
  }

  Result<bool> Commit(const std::vector<KvCondition>& conditions,
                      const KvChanges& changes) override {
    CDC_RETURN_IF_ERROR(Begin());
    const Result<bool> made = Make(conditions, changes);
    if (made.ok() && *made) {
      const Status committed = db_->Exec("COMMIT");
      if (committed.ok()) return true;
      db_.reset();  // a transaction that is still open ends with its connection
      return RetryError(committed.error().message, ErrorKind::kUnknownOutcome);
    }
    if (!db_->Exec("ROLLBACK").ok()) db_.reset();
    return made;
  }

  // Below what a server takes as one packet, by the smallest of the defaults (1 MiB).
  KvLimits limits() const override { return {500, 900'000}; }
  std::string name() const override { return Format("MySQL {} under {}", dsn_.Where(), place_); }

 private:
  Status Connect() {
    if (db_ != nullptr && db_->connected()) return OkStatus();
    db_.reset();
    CDC_ASSIGN_OR_RETURN(std::unique_ptr<MysqlDb> db, MysqlDb::Connect(dsn_));
    CDC_RETURN_IF_ERROR(db->Exec(kSession));
    CDC_ASSIGN_OR_RETURN(std::vector<MysqlDb::Row> engine, db->Query(kEngine, {}));
    if (engine.empty()) {
      CDC_RETURN_IF_ERROR(db->Exec(kCreate));
    } else if (engine[0][0] != "InnoDB") {
      return FatalError(
          Format("the table milvus_cdc_kv in MySQL {} is of engine {}, which has no "
                 "transactions; it must be InnoDB",
                 dsn_.Where(), engine[0][0]));
    }
    db_ = std::move(db);
    return OkStatus();
  }

  // Makes a call that may be made again: once more, where the connection turns out to be gone.
  template <typename Fn>
  auto Repeatable(Fn call) -> decltype(call(std::declval<MysqlDb&>())) {
    const bool kept = db_ != nullptr && db_->connected();
    CDC_RETURN_IF_ERROR(Connect());
    auto answer = call(*db_);
    if (answer.ok() || db_->connected() || !kept) return answer;
    CDC_RETURN_IF_ERROR(Connect());
    return call(*db_);
  }

  Result<std::vector<MysqlDb::Row>> Query(const char* sql,
                                          const std::vector<std::string>& parameters) {
    return Repeatable([&](MysqlDb& db) { return db.Query(sql, parameters); });
  }
  Status Begin() {
    return Repeatable([](MysqlDb& db) { return db.Exec("START TRANSACTION"); });
  }

  // Within a transaction. Locks what the conditions name, so that they still hold at its end.
  Result<bool> Make(const std::vector<KvCondition>& conditions, const KvChanges& changes) {
    for (const KvCondition& condition : conditions) {
      CDC_ASSIGN_OR_RETURN(const std::vector<MysqlDb::Row> rows,
                           db_->Query(kLock, {place_ + condition.key}));
      if (rows.empty() != (condition.kind == KvCondition::Kind::kAbsent)) return false;
      if (condition.kind == KvCondition::Kind::kEquals && rows[0][0] != condition.value) {
        return false;
      }
    }
    for (const std::string& prefix : changes.erased_prefixes) {
      const std::string begin = place_ + prefix;
      CDC_RETURN_IF_ERROR(db_->Run(kErasePrefix, {begin, EndOf(begin)}));
    }
    for (const auto& [key, value] : changes.keys) {
      CDC_RETURN_IF_ERROR(value ? db_->Run(kPut, {place_ + key, *value})
                                : db_->Run(kErase, {place_ + key}));
    }
    return true;
  }

  const MysqlDsn dsn_;
  const std::string place_;
  std::unique_ptr<MysqlDb> db_;  // null: not connected
};

}  // namespace

Result<std::unique_ptr<KvDb>> OpenMysqlKv(const std::string& dsn, const std::string& root_path) {
  CDC_ASSIGN_OR_RETURN(MysqlDsn parsed, ParseMysqlDsn(dsn));
  if (root_path.size() > kLongestRoot) {
    return InvalidError(
        Format("metaStoreConfig.rootPath is longer than {} characters", kLongestRoot));
  }
  for (const std::string& parameter : parsed.ignored) {
    LogInfo("metaStoreConfig.mysqlSourceUrl: the parameter {} has no effect", parameter);
  }
  return std::unique_ptr<KvDb>(std::make_unique<MysqlKv>(std::move(parsed), KvPlace(root_path)));
}

}  // namespace cdc
