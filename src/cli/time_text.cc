#include "cli/time_text.h"

#include <time.h>

#include <charconv>
#include <cstdio>

#include "base/format.h"

namespace cdc {
namespace {

constexpr int64_t kSecond = 1000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;
// A smaller number is taken for seconds given by mistake: it would be a time before 1973.
constexpr int64_t kLeastMillis = 100'000'000'000;

Error NotAnInstant(const std::string& text) {
  return InvalidError(
      Format("'{}' is not a time; give it as 2026-05-09T07:30:00Z, with an offset as "
             "2026-05-09T09:30:00+02:00, or in Unix milliseconds",
             text));
}

// Two numbers side by side, the second with two digits: 3h04m.
std::string Pair(int64_t first, char first_unit, int64_t second, char second_unit) {
  char text[64];
  std::snprintf(text, sizeof(text), "%lld%c%02lld%c", static_cast<long long>(first), first_unit,
                static_cast<long long>(second), second_unit);
  return text;
}

}  // namespace

std::string InstantText(int64_t unix_ms) {
  const time_t seconds = static_cast<time_t>(unix_ms / kSecond);
  tm parts{};
  char text[64];
  if (gmtime_r(&seconds, &parts) == nullptr) return std::to_string(unix_ms);
  const size_t length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, length};
}

Result<int64_t> ParseInstant(const std::string& text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failed] = std::from_chars(text.data(), end, number);
  if (failed == std::errc() && stop == end) {
    if (number >= kLeastMillis) return number;
    return InvalidError(Format("'{}' is before 1973: give the time in milliseconds", text));
  }
  tm parts{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return NotAnInstant(text);
  const int day = parts.tm_mday;
  tm zone{};
  rest = strptime(rest, "%z", &zone);
  if (rest == nullptr || *rest != '\0') return NotAnInstant(text);
  const time_t seconds = timegm(&parts);
  if (parts.tm_mday != day) return NotAnInstant(text);  // 31 February became 3 March
  return (static_cast<int64_t>(seconds) - zone.tm_gmtoff) * kSecond;
}

std::string DurationText(int64_t ms) {
  if (ms <= 0) return "0ms";
  if (ms < kSecond) return std::to_string(ms) + "ms";
  if (ms < kMinute) {
    char text[32];
    std::snprintf(text, sizeof(text), "%lld.%llds", static_cast<long long>(ms / kSecond),
                  static_cast<long long>(ms % kSecond / 100));
    return text;
  }
  if (ms < kHour) return Pair(ms / kMinute, 'm', ms % kMinute / kSecond, 's');
  if (ms < kDay) return Pair(ms / kHour, 'h', ms % kHour / kMinute, 'm');
  return Pair(ms / kDay, 'd', ms % kDay / kHour, 'h');
}

}  // namespace cdc
