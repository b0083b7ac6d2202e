#include "base/allocator.h"

#include <malloc.h>

namespace cdc {

void SetUpAllocator() {
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  // What a backlog goes through is not given back and faulted in again all the time.
  mallopt(M_TRIM_THRESHOLD, 2 << 20);
}

}  // namespace cdc
