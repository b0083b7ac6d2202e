// ThreadedStore: a Store whose calls are carried out in order by one thread of its own, over tables
// that know nothing of threads. For store/ and whoever opens a store.
//
// Progress writes that queue up meanwhile are handed to the tables together, and so share a commit.
// The destructor carries out everything that is queued, then joins the thread: it may block as long
// as the tables need for that.
#pragma once

#include <memory>

#include "store/store_tables.h"

namespace cdc {

std::unique_ptr<Store> MakeThreadedStore(std::unique_ptr<StoreTables> tables);

}  // namespace cdc
