// BlockKeeper: the memory of RocksDB's blocks, which may outlive them. A large message is most of
// its block: it is kept where RocksDB has read it to, instead of being copied into memory of its
// own. Nothing else of RocksDB is kept by it, so that files which the store deletes are free at
// once.
//
// Owned by a RocksmqStore, which lets RocksDB allocate here; what Keep() returned may outlive both.
// Any thread, never blocks. Internal to client/rocksmq.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string_view>

#include "base/slice.h"

namespace cdc {

class BlockKeeper {
 public:
  // For RocksDB's blocks, of `size` bytes; Deallocate() ends RocksDB's use of one.
  void* Allocate(size_t size);
  void Deallocate(void* block);

  // The bytes of a value that an iterator is at: in their block if that is the one that was read
  // last and at least half of it is theirs, otherwise as a copy.
  Slice Keep(std::string_view value) const;

 private:
  mutable std::mutex mutex_;
  // The last block that is large enough; kept until the next one.
  std::shared_ptr<const void> last_;
  std::string_view last_bytes_;
};

}  // namespace cdc
