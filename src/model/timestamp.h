// Milvus' hybrid timestamp: (unix milliseconds << 18) | logical counter. Plain values.
#pragma once

#include <cstdint>

namespace cdc {

using Timestamp = uint64_t;  // 0 means "none" or "before everything"

inline constexpr int kLogicalBits = 18;

inline constexpr Timestamp ComposeTimestamp(int64_t unix_ms, uint64_t logical = 0) {
  return (static_cast<uint64_t>(unix_ms) << kLogicalBits) | logical;
}
inline constexpr int64_t PhysicalMillis(Timestamp ts) {
  return static_cast<int64_t>(ts >> kLogicalBits);
}

}  // namespace cdc
