#include "store/sqlite_schema.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>

#include "base/format.h"

namespace cdc {
namespace {

// Columns ending in _bits hold unsigned values as the int64 of equal bits.
constexpr const char* kCreateTables = R"sql(
CREATE TABLE tasks (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  spec TEXT NOT NULL,    -- JSON, without the token
  token TEXT NOT NULL    -- secret
);
CREATE TABLE channels (
  task TEXT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
  channel TEXT NOT NULL,
  seek TEXT NOT NULL,
  filter_bits INTEGER NOT NULL,
  fence_bits INTEGER NOT NULL,
  PRIMARY KEY (task, channel)
) WITHOUT ROWID;
CREATE TABLE operations (
  task TEXT NOT NULL PRIMARY KEY REFERENCES tasks(id) ON DELETE CASCADE,
  seek TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE sources (
  task TEXT NOT NULL PRIMARY KEY REFERENCES tasks(id) ON DELETE CASCADE,
  cluster_bits INTEGER NOT NULL,
  revision INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE objects (
  task TEXT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
  source_id INTEGER NOT NULL,
  database TEXT NOT NULL,
  collection TEXT NOT NULL,
  moving_to TEXT NOT NULL,   -- JSON list: database and collection of a rename under way, or none
  target_id INTEGER NOT NULL,
  created_bits INTEGER NOT NULL,
  pchannels TEXT NOT NULL,   -- JSON list
  partitions TEXT NOT NULL,  -- JSON list of "source id=target id"
  PRIMARY KEY (task, source_id)
) WITHOUT ROWID;
CREATE TABLE databases (
  task TEXT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
  source_id INTEGER NOT NULL,
  source_name TEXT NOT NULL,
  target_name TEXT NOT NULL,
  ours INTEGER NOT NULL,
  PRIMARY KEY (task, source_id)
) WITHOUT ROWID;
CREATE TABLE lanes (
  target TEXT NOT NULL,
  lane TEXT NOT NULL,
  fence_bits INTEGER NOT NULL,
  PRIMARY KEY (target, lane)
) WITHOUT ROWID;
)sql";

// What a format adds to the one before it; the first is of format 2.
constexpr const char* kSteps[] = {
    R"sql(
CREATE TABLE rbac (
  task TEXT NOT NULL PRIMARY KEY REFERENCES tasks(id) ON DELETE CASCADE,
  known TEXT NOT NULL  -- JSON: names of users, roles, grants and groups, without hashes
) WITHOUT ROWID;
)sql",
};
static_assert(std::size(kSteps) == kFormat - 1);

constexpr const char* kKeepIt = "; the file was left as it is: move it away, or name another one";

std::string Why(int error) {
  return std::strerror(error);
}

// Creates the file (empty, 0600) and its folder when missing; narrows a wider mode.
Status PrepareFile(const std::string& path) {
  std::error_code failed;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, failed);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return FatalError(Format("cannot open the store {}: {}; check metaStoreConfig.sqlite.path",
                             path, Why(errno)));
  }
  struct stat info = {};
  const bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  const bool private_now = regular && ((info.st_mode & 0077) == 0 || fchmod(fd, 0600) == 0);
  close(fd);
  if (!regular) return FatalError(Format("the store {} is not a regular file", path));
  if (!private_now) {
    return FatalError(
        Format("the store {} holds secrets and others may read it; set its mode to "
               "0600",
               path));
  }
  return OkStatus();
}

// From `format` (0: an empty file) to kFormat, all of it or nothing.
Status BringUpToDate(SqliteDb& db, int64_t format) {
  std::string sql = format == 0 ? kCreateTables : "";
  for (int64_t step = std::max<int64_t>(format, 1); step < kFormat; ++step) sql += kSteps[step - 1];
  if (sql.empty()) return OkStatus();
  CDC_RETURN_IF_ERROR(db.Exec("BEGIN IMMEDIATE"));
  sql += Format(" PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT;", kApplicationId,
                kFormat);
  const Status done = db.Exec(sql.c_str());
  if (!done.ok()) (void)db.Exec("ROLLBACK");
  return done;
}

// Nothing here writes; it runs before any pragma that could.
Status CheckFormat(SqliteDb& db) {
  CDC_ASSIGN_OR_RETURN(const int64_t application, db.QueryInt("PRAGMA application_id"));
  CDC_ASSIGN_OR_RETURN(const int64_t format, db.QueryInt("PRAGMA user_version"));
  if (application != kApplicationId) {
    return FatalError(Format("{} is a database of another program{}", db.path(), kKeepIt));
  }
  if (format > kFormat) {
    return FatalError(
        Format("the store {} has format {}, this program knows up to {}: use the "
               "newer milvus-cdc that wrote it{}",
               db.path(), format, kFormat, kKeepIt));
  }
  if (format < 1) return CorruptError(Format("the store {} is incomplete{}", db.path(), kKeepIt));
  SqliteStatement check(db, "PRAGMA quick_check(1)");
  CDC_ASSIGN_OR_RETURN(const bool row, check.Step());
  if (!row || check.Text(0) != "ok") {
    return CorruptError(Format("the store {} is damaged ({}){}", db.path(),
                               row ? check.Text(0) : "no answer", kKeepIt));
  }
  return OkStatus();
}

Error Explain(const Error& error) {
  if (error.disposition != Disposition::kCorrupt) return error;
  if (error.message.find("left as it is") != std::string::npos) return error;
  return CorruptError(error.message + kKeepIt);
}

}  // namespace

Result<std::unique_ptr<StoreLock>> StoreLock::Take(const std::string& store_path) {
  std::error_code failed;
  const std::filesystem::path folder = std::filesystem::path(store_path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, failed);
  const std::string path = store_path + ".lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return FatalError(
        Format("cannot open {}: {}; check metaStoreConfig.sqlite.path", path, Why(errno)));
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    close(fd);
    if (error != EWOULDBLOCK) return FatalError(Format("cannot lock {}: {}", path, Why(error)));
    return FatalError(
        Format("the store {} is in use by another milvus-cdc; stop that one, or "
               "give this one another metaStoreConfig.sqlite.path",
               store_path));
  }
  return std::unique_ptr<StoreLock>(new StoreLock(fd));
}

StoreLock::~StoreLock() {
  close(fd_);
}

Result<std::unique_ptr<SqliteDb>> OpenStoreFile(const std::string& path) {
  CDC_RETURN_IF_ERROR(PrepareFile(path));
  CDC_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDb> db, SqliteDb::Open(path));
  Result<int64_t> objects = db->QueryInt("SELECT count(*) FROM sqlite_master");
  if (!objects.ok()) return Explain(objects.error());
  CDC_ASSIGN_OR_RETURN(const int64_t application, db->QueryInt("PRAGMA application_id"));
  const bool fresh = *objects == 0 && application == 0;
  int64_t format = 0;
  if (!fresh) {
    const Status sound = CheckFormat(*db);
    if (!sound.ok()) return Explain(sound.error());
    CDC_ASSIGN_OR_RETURN(format, db->QueryInt("PRAGMA user_version"));
  }
  CDC_RETURN_IF_ERROR(
      db->Exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
               "PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"));
  CDC_RETURN_IF_ERROR(BringUpToDate(*db, format));
  return db;
}

}  // namespace cdc
