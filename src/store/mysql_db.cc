#include "store/mysql_db.h"

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>

#include <utility>

#include "base/format.h"

namespace cdc {
namespace {

// The way to sign in must never hand the password over as it is.
constexpr char kAuthentication[] =
    "mysql_native_password,client_ed25519,caching_sha2_password,sha256_password";

// Errors of the client library: there is no server any more, or no telling what it does.
bool IsOfClient(unsigned number) {
  return (number >= CR_MIN_ERROR && number <= CR_MAX_ERROR) ||
         (number >= CER_MIN_ERROR && number <= CER_MAX_ERROR);
}

bool EndsConnection(unsigned number) {
  return IsOfClient(number) || number == ER_SERVER_SHUTDOWN || number == ER_CONNECTION_KILLED;
}

bool IsRefusal(unsigned number) {
  switch (number) {
    case ER_DBACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_BAD_DB_ERROR:
    case ER_HOST_NOT_PRIVILEGED:
    case ER_MUST_CHANGE_PASSWORD:
    case ER_MUST_CHANGE_PASSWORD_LOGIN:
    case CR_AUTH_PLUGIN_CANNOT_LOAD:
    case CR_AUTH_PLUGIN_ERR:
    case CR_PLUGIN_NOT_ALLOWED:
      return true;
    default:
      return false;
  }
}

bool IsPassing(unsigned number) {
  switch (number) {
    case ER_DISK_FULL:
    case ER_OUTOFMEMORY:
    case ER_CON_COUNT_ERROR:
    case ER_OUT_OF_RESOURCES:
    case ER_RECORD_FILE_FULL:
    case ER_HOST_IS_BLOCKED:
    case ER_TOO_MANY_USER_CONNECTIONS:
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_LOCK_TABLE_FULL:
    case ER_LOCK_DEADLOCK:
    case ER_OPTION_PREVENTS_STATEMENT:  // read only: a replica, until it is promoted
    case ER_READ_ONLY_MODE:
    case ER_QUERY_INTERRUPTED:
    case ER_STATEMENT_TIMEOUT:
      return true;
    default:
      return false;
  }
}

void SetLimit(MYSQL* handle, mysql_option option, int seconds) {
  const auto value = static_cast<unsigned>(seconds);
  mysql_options(handle, option, &value);
}

void SetOptions(MYSQL* handle, const MysqlDsn& dsn) {
  SetLimit(handle, MYSQL_OPT_CONNECT_TIMEOUT, dsn.connect_seconds);
  SetLimit(handle, MYSQL_OPT_READ_TIMEOUT, dsn.read_seconds);
  SetLimit(handle, MYSQL_OPT_WRITE_TIMEOUT, dsn.write_seconds);
  mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  const unsigned files = 0;  // the server must not ask for files of this host
  mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &files);
  mysql_options(handle, MARIADB_OPT_RESTRICTED_AUTH, kAuthentication);
  // Else "localhost" means a socket.
  const unsigned protocol = dsn.socket.empty() ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
  mysql_options(handle, MYSQL_OPT_PROTOCOL, &protocol);
  if (dsn.tls == MysqlDsn::Tls::kOff) return;
  const my_bool on = 1;
  const my_bool verify = dsn.tls == MysqlDsn::Tls::kVerify;
  mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, &on);
  mysql_options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

}  // namespace

void MysqlDb::Close::operator()(st_mysql* handle) const {
  mysql_close(handle);
}

void MysqlDb::Close::operator()(st_mysql_stmt* statement) const {
  mysql_stmt_close(statement);
}

MysqlDb::~MysqlDb() = default;

Error MysqlDb::Translate(unsigned number, const char* text) {
  if (EndsConnection(number)) connected_ = false;
  const std::string what = Format("MySQL {}: {} ({})", where_, text, number);
  if (IsRefusal(number)) {
    return InvalidError(what +
                        "; check the user, its rights and the database in "
                        "metaStoreConfig.mysqlSourceUrl");
  }
  if (number == ER_NO_SUCH_TABLE) return FatalError(what, ErrorKind::kNotFound);
  if (IsOfClient(number)) return RetryError(what, ErrorKind::kUnavailable);
  if (!connected_ || IsPassing(number)) return RetryError(what);
  return FatalError(what);
}

Error MysqlDb::Translate() {
  return Translate(mysql_errno(handle_.get()), mysql_error(handle_.get()));
}

Error MysqlDb::Translate(st_mysql_stmt* statement) {
  return Translate(mysql_stmt_errno(statement), mysql_stmt_error(statement));
}

Result<std::unique_ptr<MysqlDb>> MysqlDb::Connect(const MysqlDsn& dsn) {
  MYSQL* handle = mysql_init(nullptr);
  if (handle == nullptr) return RetryError("no memory for a connection to MySQL");
  std::unique_ptr<MysqlDb> db(new MysqlDb(dsn.Where(), handle));
  SetOptions(handle, dsn);
  const char* socket = dsn.socket.empty() ? nullptr : dsn.socket.c_str();
  const char* host = dsn.socket.empty() ? dsn.host.c_str() : nullptr;
  if (mysql_real_connect(handle, host, dsn.user.c_str(), dsn.password.c_str(), dsn.database.c_str(),
                         dsn.port, socket, 0) == nullptr) {
    return db->Translate();
  }
  const bool wants_tls = dsn.tls == MysqlDsn::Tls::kVerify || dsn.tls == MysqlDsn::Tls::kSkipVerify;
  if (wants_tls && mysql_get_ssl_cipher(handle) == nullptr) {
    return InvalidError(Format(
        "MySQL {} offers no TLS, which metaStoreConfig.mysqlSourceUrl asks for", dsn.Where()));
  }
  return db;
}

Status MysqlDb::Exec(const char* sql) {
  if (!connected_) return RetryError("MySQL " + where_ + ": the connection was lost");
  if (mysql_query(handle_.get(), sql) != 0) return Translate();
  return OkStatus();
}

Result<st_mysql_stmt*> MysqlDb::Execute(const char* sql,
                                        const std::vector<std::string>& parameters) {
  if (!connected_) return RetryError("MySQL " + where_ + ": the connection was lost");
  std::unique_ptr<st_mysql_stmt, Close>& kept = statements_[sql];
  if (kept == nullptr) {
    std::unique_ptr<st_mysql_stmt, Close> fresh(mysql_stmt_init(handle_.get()));
    if (fresh == nullptr) return Translate();
    const std::string text = sql;
    if (mysql_stmt_prepare(fresh.get(), text.data(), text.size()) != 0) {
      return Translate(fresh.get());
    }
    kept = std::move(fresh);
  }
  MYSQL_STMT* statement = kept.get();
  if (mysql_stmt_param_count(statement) != parameters.size()) {
    return FatalError(Format("MySQL: {} values for '{}'", parameters.size(), sql));
  }
  std::vector<MYSQL_BIND> binds(parameters.size());  // all zero
  for (size_t i = 0; i < parameters.size(); ++i) {
    binds[i].buffer_type = MYSQL_TYPE_BLOB;
    binds[i].buffer = const_cast<char*>(parameters[i].data());  // only read
    binds[i].buffer_length = parameters[i].size();
    binds[i].length_value = parameters[i].size();
    binds[i].length = &binds[i].length_value;
  }
  if (!binds.empty() && mysql_stmt_bind_param(statement, binds.data()) != 0) {
    return Translate(statement);
  }
  if (mysql_stmt_execute(statement) != 0) return Translate(statement);
  return statement;
}

Status MysqlDb::Run(const char* sql, const std::vector<std::string>& parameters) {
  CDC_ASSIGN_OR_RETURN(st_mysql_stmt* const statement, Execute(sql, parameters));
  (void)statement;
  return OkStatus();
}

Result<std::vector<MysqlDb::Row>> MysqlDb::Query(const char* sql,
                                                 const std::vector<std::string>& parameters) {
  CDC_ASSIGN_OR_RETURN(st_mysql_stmt* const statement, Execute(sql, parameters));
  Result<std::vector<Row>> rows = Fetch(statement);
  mysql_stmt_free_result(statement);
  return rows;
}

// The values have any length: first each row is fetched without them, then value by value.
Result<std::vector<MysqlDb::Row>> MysqlDb::Fetch(st_mysql_stmt* statement) {
  const unsigned columns = mysql_stmt_field_count(statement);
  std::vector<unsigned long> lengths(columns, 0);
  std::vector<my_bool> nulls(columns, 0), truncated(columns, 0);
  std::vector<MYSQL_BIND> binds(columns);
  for (unsigned i = 0; i < columns; ++i) {
    binds[i].buffer_type = MYSQL_TYPE_BLOB;
    binds[i].length = &lengths[i];
    binds[i].is_null = &nulls[i];
    binds[i].error = &truncated[i];
  }
  if (mysql_stmt_bind_result(statement, binds.data()) != 0) return Translate(statement);
  if (mysql_stmt_store_result(statement) != 0) return Translate(statement);
  std::vector<Row> rows;
  while (true) {
    const int fetched = mysql_stmt_fetch(statement);
    if (fetched == MYSQL_NO_DATA) return rows;
    if (fetched != 0 && fetched != MYSQL_DATA_TRUNCATED) return Translate(statement);
    Row row(columns);
    for (unsigned i = 0; i < columns; ++i) {
      if (nulls[i] != 0 || lengths[i] == 0) continue;
      row[i].resize(lengths[i]);
      MYSQL_BIND value = {};
      value.buffer_type = MYSQL_TYPE_BLOB;
      value.buffer = row[i].data();
      value.buffer_length = row[i].size();
      if (mysql_stmt_fetch_column(statement, &value, i, 0) != 0) return Translate(statement);
    }
    rows.push_back(std::move(row));
  }
}

}  // namespace cdc
