// Thin RAII over the SQLite C API. Private to store/: only its .cc files and tests include this.
// One thread at a time. Foreign result codes become our Error here, once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace cdc {

class SqliteDb;

// A prepared statement. Errors of Bind are kept and reported by the next Step or Run.
class SqliteStatement {
 public:
  SqliteStatement(SqliteDb& db, const char* sql);
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;

  SqliteStatement& Bind(const std::string& text);
  SqliteStatement& Bind(int64_t value);
  SqliteStatement& BindBits(uint64_t value) { return Bind(static_cast<int64_t>(value)); }

  // True: a row is there. False: done.
  Result<bool> Step();
  // For statements without rows.
  Status Run();
  // Makes it ready for new values.
  void Reset();

  std::string Text(int column) const;
  int64_t Int(int column) const;
  uint64_t Bits(int column) const { return static_cast<uint64_t>(Int(column)); }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* s) const;
  };
  SqliteDb& db_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
  int error_ = 0;  // SQLITE_OK
  int next_ = 1;
};

class SqliteDb {
 public:
  // Opens an existing file for reading and writing.
  static Result<std::unique_ptr<SqliteDb>> Open(const std::string& path);
  ~SqliteDb();
  SqliteDb(const SqliteDb&) = delete;
  SqliteDb& operator=(const SqliteDb&) = delete;

  Status Exec(const char* sql);
  // The integer that a PRAGMA or SELECT answers in its first row.
  Result<int64_t> QueryInt(const char* sql);
  int Changes() const;
  // Our Error for an SQLite result code.
  Error Translate(int code) const;
  sqlite3* handle() { return handle_; }
  const std::string& path() const { return path_; }

 private:
  SqliteDb(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}
  std::string path_;
  sqlite3* handle_;
};

}  // namespace cdc
