#include "model/position.h"

#include <charconv>

namespace cdc {
namespace {

bool ParseNumber(std::string_view text, uint64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace

std::string ToString(const LogId& id) {
  if (id.major == 0) return std::to_string(id.minor);
  return std::to_string(id.major) + ":" + std::to_string(id.minor);
}

Result<LogId> ParseLogId(const std::string& text) {
  LogId id;
  const size_t colon = text.find(':');
  const std::string_view all = text;
  const bool good = colon == std::string::npos ? ParseNumber(all, &id.minor)
                                               : ParseNumber(all.substr(0, colon), &id.major) &&
                                                     ParseNumber(all.substr(colon + 1), &id.minor);
  if (!good) return CorruptError("not a log id: '" + text + "'");
  return id;
}

bool IsBefore(const LogId& id, const LogPosition& place) {
  switch (place.kind) {
    case LogPosition::Kind::kEarliest:
      return false;
    case LogPosition::Kind::kAt:
      return id < place.id;
    case LogPosition::Kind::kAfter:
      return id <= place.id;
  }
  return false;
}

LogPosition Earlier(const LogPosition& a, const LogPosition& b) {
  constexpr auto kEarliest = LogPosition::Kind::kEarliest;
  if (a.kind == kEarliest || b.kind == kEarliest) return a.kind == kEarliest ? a : b;
  if (a.id != b.id) return a.id < b.id ? a : b;
  return a.kind == LogPosition::Kind::kAt ? a : b;
}

std::string ToString(const LogPosition& position) {
  switch (position.kind) {
    case LogPosition::Kind::kEarliest:
      return "earliest";
    case LogPosition::Kind::kAt:
      return "at " + ToString(position.id);
    case LogPosition::Kind::kAfter:
      return "after " + ToString(position.id);
  }
  return "?";
}

Result<LogPosition> ParseLogPosition(const std::string& text) {
  if (text == "earliest") return LogPosition{};
  LogPosition position;
  size_t prefix = 0;
  if (text.rfind("at ", 0) == 0) {
    position.kind = LogPosition::Kind::kAt;
    prefix = 3;
  } else if (text.rfind("after ", 0) == 0) {
    position.kind = LogPosition::Kind::kAfter;
    prefix = 6;
  } else {
    return CorruptError("not a log position: '" + text + "'");
  }
  CDC_ASSIGN_OR_RETURN(position.id, ParseLogId(text.substr(prefix)));
  return position;
}

}  // namespace cdc
