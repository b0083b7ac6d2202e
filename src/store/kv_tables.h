// StoreTables over a key-value database. For store/ and whoever opens a store.
//
// One process writes: opening the store makes this process its writer, and every commit holds only
// as long as it still is (kv::Head). A second milvus-cdc that is pointed at the same place by
// mistake takes the store over: the first one's calls fail from then on with a fatal error that
// says so. That also makes a commit whose answer was lost harmless: before the next one it is found
// out whether it was made, and if not, it no longer can be.
//
// What does not fit into one transaction of the database is first written to a journal; a commit of
// the head decides it, then its changes are made piece by piece. A life that ends in between is
// made up for when the store is opened.
#pragma once

#include <memory>

#include "store/kv_db.h"
#include "store/store_tables.h"

namespace cdc {

// Makes this process the writer, and an empty place a store. Errors: those of the database; fatal
// or corrupt for a store that is of a newer format or cannot be read, which is left as it is.
Result<std::unique_ptr<StoreTables>> OpenKvTables(std::unique_ptr<KvDb> db);

}  // namespace cdc
