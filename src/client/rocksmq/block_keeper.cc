#include "client/rocksmq/block_keeper.h"

#include <functional>
#include <new>
#include <utility>

namespace cdc {
namespace {

constexpr size_t kWorthKeeping = 16 << 10;  // bytes; smaller ones are copied faster than counted

// In front of each block.
struct Header {
  std::shared_ptr<const void> self;  // RocksDB's share of it; null: nobody else has one
};

bool Within(std::string_view part, std::string_view whole) {
  const std::less_equal<const char*> before;
  return before(whole.data(), part.data()) &&
         before(part.data() + part.size(), whole.data() + whole.size());
}

}  // namespace

void* BlockKeeper::Allocate(size_t size) {
  void* memory = ::operator new(sizeof(Header) + size);
  auto* header = new (memory) Header;
  char* block = static_cast<char*>(memory) + sizeof(Header);
  if (size >= kWorthKeeping) {
    header->self =
        std::shared_ptr<const void>(memory, [memory](const void*) { ::operator delete(memory); });
    std::shared_ptr<const void> last = header->self;
    const std::lock_guard lock(mutex_);
    last_.swap(last);
    last_bytes_ = {block, size};
  }
  return block;
}

void BlockKeeper::Deallocate(void* block) {
  void* memory = static_cast<char*>(block) - sizeof(Header);
  auto* header = static_cast<Header*>(memory);
  const std::shared_ptr<const void> share = std::move(header->self);
  header->~Header();
  if (!share) ::operator delete(memory);
}

Slice BlockKeeper::Keep(std::string_view value) const {
  if (value.size() >= kWorthKeeping / 2) {
    const std::lock_guard lock(mutex_);
    if (Within(value, last_bytes_) && value.size() >= last_bytes_.size() / 2) {
      return {last_, value};
    }
  }
  return Slice::Copy(value);
}

}  // namespace cdc
