// Allocations and copied bytes of a process, whoever causes them: a library to be preloaded into
// it, which counts its malloc, memcpy and memmove and writes the sums to the file that
// WORK_COUNTERS names when the process ends. What the kernel copies is not in them.
#include <dlfcn.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

std::atomic<uint64_t> allocations{0};
std::atomic<uint64_t> copied{0};

using Move = void* (*)(void*, const void*, size_t);

void* Copy(void* to, const void* from, size_t bytes) {
  // Not a local static: its guard may copy.
  static constinit std::atomic<Move> next{nullptr};
  Move move = next.load(std::memory_order_relaxed);
  if (move == nullptr) {
    move = reinterpret_cast<Move>(dlsym(RTLD_NEXT, "memmove"));
    next.store(move, std::memory_order_relaxed);
  }
  copied.fetch_add(bytes, std::memory_order_relaxed);
  return move(to, from, bytes);
}

__attribute__((destructor)) void Report() {
  const uint64_t allocated = allocations.load(), moved = copied.load();
  const char* path = std::getenv("WORK_COUNTERS");
  std::FILE* file = path == nullptr ? nullptr : std::fopen(path, "w");
  if (file == nullptr) return;
  std::fprintf(file, "{\"allocations\": %lu, \"copied\": %lu}\n", allocated, moved);
  std::fclose(file);
}

}  // namespace

// The names that glibc gives its own; these here come first for the program and its libraries.
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);

void* malloc(size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(count, bytes);
}
void* realloc(void* old, size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(old, bytes);
}
void* memcpy(void* to, const void* from, size_t bytes) {
  return Copy(to, from, bytes);
}
void* memmove(void* to, const void* from, size_t bytes) {
  return Copy(to, from, bytes);
}
}
