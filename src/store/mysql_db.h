// Thin RAII over one connection of the MariaDB C API. Private to store/ and to the import of a Go
// Milvus-CDC's tasks.
//
// One thread at a time; every call blocks, up to the time limits of the DSN. Foreign error numbers
// become our Error here, once: kRetry (server away or busy, deadlock), kInvalid (it refuses us),
// kNotFound (no such table), other fatal ones. Texts of the server name tables and users, never a
// value. Once connected() is false every call fails: open another connection.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/mysql_dsn.h"

struct st_mysql;
struct st_mysql_stmt;

namespace cdc {

class MysqlDb {
 public:
  using Row = std::vector<std::string>;  // a NULL is empty

  static Result<std::unique_ptr<MysqlDb>> Connect(const MysqlDsn& dsn);
  ~MysqlDb();
  MysqlDb(const MysqlDb&) = delete;
  MysqlDb& operator=(const MysqlDb&) = delete;

  // A statement without parameters and rows.
  Status Exec(const char* sql);
  // Statements with '?' for parameters, which are bytes. Each text is prepared once and kept.
  Status Run(const char* sql, const std::vector<std::string>& parameters);
  Result<std::vector<Row>> Query(const char* sql, const std::vector<std::string>& parameters);

  bool connected() const { return connected_; }

 private:
  struct Close {
    void operator()(st_mysql* handle) const;
    void operator()(st_mysql_stmt* statement) const;
  };

  MysqlDb(std::string where, st_mysql* handle) : where_(std::move(where)), handle_(handle) {}
  Error Translate(unsigned number, const char* text);
  Error Translate();                          // the last error of the connection
  Error Translate(st_mysql_stmt* statement);  // of a statement
  Result<st_mysql_stmt*> Execute(const char* sql, const std::vector<std::string>& parameters);
  Result<std::vector<Row>> Fetch(st_mysql_stmt* statement);

  const std::string where_;
  bool connected_ = true;
  std::unique_ptr<st_mysql, Close> handle_;
  std::map<std::string, std::unique_ptr<st_mysql_stmt, Close>> statements_;  // end before handle_
};

}  // namespace cdc
