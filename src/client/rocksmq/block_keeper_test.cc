#include "client/rocksmq/block_keeper.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace cdc {
namespace {

constexpr size_t kBlock = 64 << 10;

TEST(BlockKeeper, ValueOutlivesItsBlock) {
  auto keeper = std::make_unique<BlockKeeper>();
  char* block = static_cast<char*>(keeper->Allocate(kBlock));
  std::memset(block, 'x', kBlock);
  const Slice one = keeper->Keep({block + 100, kBlock - 200});
  const Slice other = keeper->Keep({block, kBlock / 2});
  EXPECT_EQ(one.bytes.data(), block + 100) << "it was copied";
  keeper->Deallocate(block);
  char* next = static_cast<char*>(keeper->Allocate(kBlock));
  std::memset(next, 'y', kBlock);
  keeper->Deallocate(next);
  keeper.reset();
  EXPECT_EQ(one.bytes, std::string(kBlock - 200, 'x'));
  EXPECT_EQ(other.bytes, std::string(kBlock / 2, 'x'));
}

TEST(BlockKeeper, CopiesWhatWouldKeepMuchElse) {
  BlockKeeper keeper;
  char* block = static_cast<char*>(keeper.Allocate(kBlock));
  std::memset(block, 'x', kBlock);
  const Slice part = keeper.Keep({block, kBlock / 2 - 1});
  EXPECT_NE(part.bytes.data(), block);
  char* small = static_cast<char*>(keeper.Allocate(4096));
  std::memset(small, 'y', 4096);
  const Slice all = keeper.Keep({small, 4096});
  EXPECT_NE(all.bytes.data(), small);
  keeper.Deallocate(small);
  keeper.Deallocate(block);
  EXPECT_EQ(part.bytes, std::string(kBlock / 2 - 1, 'x'));
  EXPECT_EQ(all.bytes, std::string(4096, 'y'));
}

// A memtable, or a block that was read before another one.
TEST(BlockKeeper, CopiesWhatLiesElsewhere) {
  BlockKeeper keeper;
  const std::string elsewhere(kBlock, 'm');
  EXPECT_NE(keeper.Keep(elsewhere).bytes.data(), elsewhere.data());
  char* earlier = static_cast<char*>(keeper.Allocate(kBlock));
  char* later = static_cast<char*>(keeper.Allocate(kBlock));
  std::memset(earlier, 'e', kBlock);
  const Slice copy = keeper.Keep({earlier, kBlock});
  EXPECT_NE(copy.bytes.data(), earlier);
  keeper.Deallocate(earlier);
  keeper.Deallocate(later);
  EXPECT_EQ(copy.bytes, std::string(kBlock, 'e'));
}

}  // namespace
}  // namespace cdc
