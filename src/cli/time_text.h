// Times and spans as people write and read them. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace cdc {

// "2026-05-09T07:30:00Z" of Unix milliseconds; what is below a second is cut off.
std::string InstantText(int64_t unix_ms);
// Unix milliseconds of "2026-05-09T07:30:00Z" (or with an offset as "+02:00"), or of the number
// itself. kInvalid with the forms that are understood.
Result<int64_t> ParseInstant(const std::string& text);
// "0ms", "350ms", "2.4s", "5m12s", "3h04m", "2d03h"; a span below 0 counts as none.
std::string DurationText(int64_t ms);

}  // namespace cdc
