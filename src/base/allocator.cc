#include "base/allocator.h"

#include <malloc.h>

namespace cdc {

void SetUpAllocator() {
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  // What a backlog goes through between two ticks is not given back and faulted in again each time.
  mallopt(M_TRIM_THRESHOLD, 8 << 20);
  mallopt(M_ARENA_MAX, 2);  // each keeps what is free at its end
}

}  // namespace cdc
