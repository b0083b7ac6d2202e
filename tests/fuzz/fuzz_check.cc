#include "fuzz_check.h"

#include <google/protobuf/stubs/logging.h>
#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace cdc::fuzz {
namespace {

// Two bytes of a message can be an empty key, which is a std::string while it is planned, held
// twice while its vector grows.
constexpr size_t kFactor = 160;
constexpr size_t kFloor = 256 << 10;
constexpr size_t kLongestError = 400;

bool counting = false;
size_t live = 0;
size_t peak = 0;
size_t limit = 0;

void OnMalloc(const volatile void*, size_t size) {
  if (!counting) return;
  live += size;
  peak = std::max(peak, live);
}

void OnFree(const volatile void* pointer) {
  if (!counting || pointer == nullptr) return;
  const size_t size = __sanitizer_get_allocated_size(pointer);
  live -= std::min(live, size);
}

// Protobuf tells stderr of every text that is no UTF-8.
const bool quiet = [] {
  google::protobuf::SetLogHandler(nullptr);
  return true;
}();

}  // namespace

void Require(bool condition, const char* promise) {
  if (condition) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

void RequireCorruptAt(const Error& error, LogId id) {
  Require(error.disposition == Disposition::kCorrupt, "an undecodable message is corrupt");
  Require(error.message.find("message " + ToString(id) + " ") != std::string::npos,
          "an error names the position");
  Require(error.message.size() <= kLongestError, "an error does not quote the payload");
}

MemoryBudget::MemoryBudget(size_t input_bytes) {
  static const bool hooked = __sanitizer_install_malloc_and_free_hooks(OnMalloc, OnFree) != 0;
  Require(hooked, "the allocator can be watched");
  limit = kFloor + kFactor * input_bytes;
  live = 0;
  peak = 0;
  counting = true;
}

OffBudget::OffBudget() {
  counting = false;
}

OffBudget::~OffBudget() {
  counting = true;
}

MemoryBudget::~MemoryBudget() {
  counting = false;
  Require(peak <= limit, "memory stays a small multiple of the input");
}

}  // namespace cdc::fuzz
