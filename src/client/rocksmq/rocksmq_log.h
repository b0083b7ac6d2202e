// RocksMQ, the queue inside a standalone Milvus, read from this process: its message store opened
// as a RocksDB secondary. The Milvus that owns the store is not disturbed and need not be running.
//
// One log per store and process; all its topics share one thread and one secondary. What is read is
// bounded in two phases: while the owner flushes, a secondary can see newer messages before older
// ones, so a topic is read only up to the last message that was visible one catch-up earlier.
//
// Errors: kRetry when the store is missing, unreadable or broken (it is tried again with back-off,
// and a store that was made anew is noticed); kPositionGone when a position is no longer held.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "client/raw_log.h"

namespace cdc {

struct RocksmqOptions {
  Duration active_gap = std::chrono::milliseconds(2);    // least time between two looks
  Duration busy_gap = std::chrono::milliseconds(10);     // ... while it is written all the time
  Duration idle_poll = std::chrono::milliseconds(20);    // where inotify does not work
  Duration told_poll = std::chrono::milliseconds(200);   // where it does, just in case
  Duration spare_poll = std::chrono::milliseconds(100);  // while nobody waits for anything
  // How long a position ahead of everything the store holds is waited for.
  Duration ahead_grace = std::chrono::seconds(5);
};

// Never fails by itself: errors come from reads. The destructor joins the log's thread.
std::shared_ptr<RawLog> OpenRocksmqLog(std::string path, RocksmqOptions options = {});

}  // namespace cdc
