// The address of a MySQL or MariaDB database as the Go driver writes it:
//   user:password@tcp(host:port)/database?name=value&...
// Everything but the slash and the database may be missing; `unix(/path)` names a socket. Pure
// functions, any thread. An error says what is wrong with the address and never quotes it, for it
// holds a password.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace cdc {

struct MysqlDsn {
  enum class Tls { kOff, kPreferred, kSkipVerify, kVerify };

  std::string user;
  std::string password;  // secret
  std::string host = "127.0.0.1";
  uint16_t port = 3306;
  std::string socket;  // a path; instead of host and port
  std::string database;
  Tls tls = Tls::kOff;
  int connect_seconds = 5, read_seconds = 5, write_seconds = 5;
  // Parameters that are of no consequence here (charset, parseTime, system variables, ...).
  std::vector<std::string> ignored;

  // "host:port/database", for messages.
  std::string Where() const;
};

// kInvalid, naming metaStoreConfig.mysqlSourceUrl.
Result<MysqlDsn> ParseMysqlDsn(const std::string& text);

}  // namespace cdc
