// Positions in a source log. Plain values.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace cdc {

// Identifies one message of one channel; ordered as the log is.
// RocksMQ: {0, message id}. Kafka: {0, offset}. Pulsar: {ledger, entry}.
struct LogId {
  uint64_t major = 0;
  uint64_t minor = 0;
  auto operator<=>(const LogId&) const = default;
};

// "minor" or "major:minor", for logs and the store.
std::string ToString(const LogId& id);
Result<LogId> ParseLogId(const std::string& text);

// Where to begin reading a channel.
struct LogPosition {
  enum class Kind {
    kEarliest,  // the oldest message that the log still holds
    kAt,        // message `id` itself first; it must still be there
    kAfter,     // the message behind `id`; `id` must still be there unless the log is empty
  };
  Kind kind = Kind::kEarliest;
  LogId id;
  auto operator<=>(const LogPosition&) const = default;
};

// A reader that begins at `place` does not see message `id`: it stands before that.
bool IsBefore(const LogId& id, const LogPosition& place);
// The one from which a reader sees more.
LogPosition Earlier(const LogPosition& a, const LogPosition& b);

// "earliest", "at ID", "after ID".
std::string ToString(const LogPosition& position);
Result<LogPosition> ParseLogPosition(const std::string& text);

}  // namespace cdc
