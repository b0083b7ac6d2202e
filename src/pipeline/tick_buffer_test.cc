#include "pipeline/tick_buffer.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

TrackedChange Make(ChangeKind kind, Timestamp ts, int64_t msg_id, uint64_t token) {
  TrackedChange out;
  out.change.kind = kind;
  out.change.ts = ts;
  out.change.msg_id = msg_id;
  out.token = token;
  return out;
}

std::vector<uint64_t> Tokens(const std::vector<TrackedChange>& changes) {
  std::vector<uint64_t> out;
  for (const TrackedChange& change : changes) out.push_back(change.token);
  return out;
}

using Expected = std::vector<uint64_t>;

TEST(TickBuffer, KeepsWhatTheTickDoesNotCover) {
  TickBuffer buffer;
  buffer.Add(Make(ChangeKind::kInsert, 11, 1, 1));
  buffer.Add(Make(ChangeKind::kInsert, 10, 2, 2));
  EXPECT_EQ(Tokens(buffer.Release(10).changes), Expected({2}));
  EXPECT_EQ(buffer.size(), 1u);
  EXPECT_TRUE(buffer.Release(10).changes.empty());
  EXPECT_EQ(Tokens(buffer.Release(20).changes), Expected({1}));
  EXPECT_EQ(buffer.size(), 0u);
}

TEST(TickBuffer, SortsByTimeThenDeletesInsertsDropsThenLogOrder) {
  TickBuffer buffer;
  buffer.Add(Make(ChangeKind::kDropCollection, 20, 0, 1));
  buffer.Add(Make(ChangeKind::kInsert, 20, 1, 2));
  buffer.Add(Make(ChangeKind::kInsert, 20, 2, 3));
  buffer.Add(Make(ChangeKind::kDelete, 20, 3, 4));
  buffer.Add(Make(ChangeKind::kDropPartition, 10, 0, 5));
  buffer.Add(Make(ChangeKind::kDelete, 10, 4, 6));
  EXPECT_EQ(Tokens(buffer.Release(30).changes), Expected({6, 5, 4, 2, 3, 1}));
}

TEST(TickBuffer, KnowsCopiesThatComeBehindTheTick) {
  TickBuffer buffer;
  buffer.Add(Make(ChangeKind::kInsert, 10, 7, 1));
  EXPECT_FALSE(buffer.IsLateCopy(Make(ChangeKind::kInsert, 10, 7, 2).change));  // not late
  (void)buffer.Release(10);
  EXPECT_TRUE(buffer.IsLateCopy(Make(ChangeKind::kInsert, 10, 7, 2).change));
  EXPECT_FALSE(buffer.IsLateCopy(Make(ChangeKind::kDelete, 10, 7, 3).change));  // another kind
  EXPECT_FALSE(buffer.IsLateCopy(Make(ChangeKind::kInsert, 10, 8, 4).change));  // late, but new
  EXPECT_FALSE(buffer.IsLateCopy(Make(ChangeKind::kInsert, 11, 7, 5).change));
  EXPECT_FALSE(buffer.IsLateCopy(Make(ChangeKind::kDropCollection, 10, 7, 6).change));
  // Long enough, not for ever.
  for (int i = 0; i < 8191; ++i) buffer.Add(Make(ChangeKind::kDelete, 20, 100 + i, 1));
  EXPECT_TRUE(buffer.IsLateCopy(Make(ChangeKind::kInsert, 10, 7, 7).change));
  buffer.Add(Make(ChangeKind::kDelete, 20, 9000, 1));
  EXPECT_FALSE(buffer.IsLateCopy(Make(ChangeKind::kInsert, 10, 7, 8).change));
}

TEST(TickBuffer, DropsCopiesOfRowsOnly) {
  TickBuffer buffer;
  buffer.Add(Make(ChangeKind::kInsert, 10, 7, 1));
  buffer.Add(Make(ChangeKind::kDelete, 10, 7, 2));  // another kind: no copy
  buffer.Add(Make(ChangeKind::kInsert, 10, 7, 3));  // a copy of the first
  buffer.Add(Make(ChangeKind::kInsert, 10, 0, 4));  // without an id nothing is a copy
  buffer.Add(Make(ChangeKind::kInsert, 10, 0, 5));
  buffer.Add(Make(ChangeKind::kDropPartition, 10, 7, 6));
  buffer.Add(Make(ChangeKind::kDropPartition, 10, 7, 7));
  const TickBuffer::Released released = buffer.Release(10);
  EXPECT_EQ(Tokens(released.changes), Expected({2, 1, 4, 5, 6, 7}));
  EXPECT_EQ(Tokens(released.copies), Expected({3}));
}

}  // namespace
}  // namespace cdc
