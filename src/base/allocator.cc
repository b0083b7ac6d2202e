#include "base/allocator.h"

#include <malloc.h>

namespace cdc {

void SetUpAllocator() {
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

}  // namespace cdc
