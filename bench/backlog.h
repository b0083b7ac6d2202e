// A source's log that was written before it is read, in a folder: as a RocksMQ, and as a file that
// the Python side sends to brokers. One thread; blocks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/timestamp.h"

namespace cdc::bench {

struct Backlog {
  Timestamp begin = 0;  // before the first message
  Timestamp end = 0;    // of the last tick
  uint64_t messages = 0;
};

// `rows` rows in messages of about `bytes`, older than what counts as keeping up, loaded with up to
// 100 MB per second of the source's time.
void WriteBacklog(const std::string& folder, const std::string& channel, size_t rows, size_t bytes);
// The same rows spread over channels, side by side. The files for the brokers are messages.0,
// messages.1 and so on, and only there if `brokers`.
void WriteBacklogs(const std::string& folder, const std::vector<std::string>& channels, size_t rows,
                   size_t bytes, bool brokers);
Backlog OpenBacklog(const std::string& folder);
std::string RocksmqOf(const std::string& folder);

}  // namespace cdc::bench
