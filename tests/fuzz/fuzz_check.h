// What the fuzz targets assert. A broken assertion aborts, so that libFuzzer keeps the input.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "model/position.h"

namespace cdc::fuzz {

void Require(bool condition, const char* promise);

// A decoder's error: corrupt, naming `id`, and short: it never quotes what it read.
void RequireCorruptAt(const Error& error, LogId id);

// From construction to destruction no more than a small multiple of `input_bytes` may be allocated
// at any moment. One at a time, on the thread that allocates.
class MemoryBudget {
 public:
  explicit MemoryBudget(size_t input_bytes);
  ~MemoryBudget();
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;
};

// What the harness itself allocates while it lives is not charged.
class OffBudget {
 public:
  OffBudget();
  ~OffBudget();
  OffBudget(const OffBudget&) = delete;
  OffBudget& operator=(const OffBudget&) = delete;
};

}  // namespace cdc::fuzz
