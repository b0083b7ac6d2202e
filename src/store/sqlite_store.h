// The default Store: one SQLite file.
//
// WAL with synchronous=FULL: a call that answered survives a power cut. One thread of its own does
// all SQL; commits that queue up meanwhile share one transaction, and so one fsync. The destructor
// makes every queued write durable first, then joins that thread; it may block for a few fsyncs.
//
// One process at a time: a lock on `<path>.lock` keeps a second server away, while the file can
// still be read with sqlite3. Files are created with mode 0600.
//
// Format: PRAGMA application_id 0x4d434443 ("MCDC"), user_version = kFormat; the tables are at the
// top of sqlite_schema.cc. Unsigned 64-bit values are stored as the int64 of equal bits.
#pragma once

#include <memory>
#include <string>

#include "store/store.h"
#include "store/store_tables.h"

namespace cdc {

// Opens or creates the file; blocks. A file that is damaged, of a newer format, of another program
// or in use is refused with a message that says what to do, and is not touched.
Result<std::unique_ptr<StoreTables>> OpenSqliteTables(const std::string& path);
// The same as a Store, secrets as they are.
Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path);

}  // namespace cdc
