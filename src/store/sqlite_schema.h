// The file behind SqliteStore: its tables, and the checks made before it is used. Private to
// store/. Blocks.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "store/sqlite_db.h"

namespace cdc {

inline constexpr int kApplicationId = 0x4d434443;  // "MCDC"
inline constexpr int kFormat = 2;                  // PRAGMA user_version

// Keeps other processes away from a store for as long as it lives; the kernel drops the lock with
// the process, however that ends.
class StoreLock {
 public:
  static Result<std::unique_ptr<StoreLock>> Take(const std::string& store_path);
  ~StoreLock();
  StoreLock(const StoreLock&) = delete;
  StoreLock& operator=(const StoreLock&) = delete;

 private:
  explicit StoreLock(int fd) : fd_(fd) {}
  int fd_;
};

// Opens or creates the database file with mode 0600 and makes sure that it is a sound store of this
// format. A file that is not is refused and left untouched.
Result<std::unique_ptr<SqliteDb>> OpenStoreFile(const std::string& path);

}  // namespace cdc
