#include "store/sqlite_db.h"

#include <sqlite3.h>

namespace cdc {

SqliteStatement::SqliteStatement(SqliteDb& db, const char* sql) : db_(db) {
  sqlite3_stmt* raw = nullptr;
  error_ = sqlite3_prepare_v2(db.handle(), sql, -1, &raw, nullptr);
  handle_.reset(raw);
}

SqliteStatement& SqliteStatement::Bind(const std::string& text) {
  if (error_ == SQLITE_OK) {
    error_ = sqlite3_bind_text64(handle_.get(), next_++, text.data(), text.size(), SQLITE_TRANSIENT,
                                 SQLITE_UTF8);
  }
  return *this;
}

SqliteStatement& SqliteStatement::Bind(int64_t value) {
  if (error_ == SQLITE_OK) error_ = sqlite3_bind_int64(handle_.get(), next_++, value);
  return *this;
}

Result<bool> SqliteStatement::Step() {
  if (error_ != SQLITE_OK) return db_.Translate(error_);
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return db_.Translate(code);
}

Status SqliteStatement::Run() {
  Result<bool> stepped = Step();
  const Status status = stepped.ok() ? OkStatus() : Status(stepped.error());
  Reset();
  return status;
}

void SqliteStatement::Reset() {
  if (handle_ == nullptr) return;
  sqlite3_reset(handle_.get());
  sqlite3_clear_bindings(handle_.get());
  error_ = SQLITE_OK;
  next_ = 1;
}

void SqliteStatement::Finalize::operator()(sqlite3_stmt* s) const {
  sqlite3_finalize(s);
}

int SqliteDb::Changes() const {
  return sqlite3_changes(handle_);
}

int64_t SqliteStatement::Int(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}

std::string SqliteStatement::Text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  if (data == nullptr) return "";
  return {data, static_cast<size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

Result<std::unique_ptr<SqliteDb>> SqliteDb::Open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, nullptr);
  std::unique_ptr<SqliteDb> db(new SqliteDb(path, handle));
  if (code != SQLITE_OK) return db->Translate(code);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, 5000);  // someone looking at it with the sqlite3 shell
  return db;
}

SqliteDb::~SqliteDb() {
  sqlite3_close_v2(handle_);
}

Status SqliteDb::Exec(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return Translate(code);
  return OkStatus();
}

Result<int64_t> SqliteDb::QueryInt(const char* sql) {
  SqliteStatement statement(*this, sql);
  CDC_ASSIGN_OR_RETURN(const bool row, statement.Step());
  if (!row) return CorruptError("store " + path_ + ": no answer to " + sql);
  return statement.Int(0);
}

Error SqliteDb::Translate(int code) const {
  // The message of SQLite names tables and columns at most, never a value.
  const std::string text = "store " + path_ + ": " +
                           (handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(code));
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT:
      return RetryError(text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return CorruptError(text);
    default:
      return FatalError(text);
  }
}

}  // namespace cdc
