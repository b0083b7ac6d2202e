#include "sink/milvus/replayed_keys.h"

#include <gtest/gtest.h>

#include "sink/milvus/rows_for_tests.h"

namespace cdc {
namespace {

using rows_for_tests::Delete;
using rows_for_tests::Insert;

LaneBatch Batch(std::vector<Change> changes, bool replay = true) {
  static uint64_t last_id = 0;
  const auto address = std::make_shared<TargetAddressOfRows>();
  address->primary_key = rows_for_tests::kKeyField;
  address->primary_key_name = "id";
  LaneBatch batch;
  for (Change& change : changes) {
    change.id = {0, ++last_id};
    batch.items.push_back({std::move(change), address, 0, replay});
  }
  return batch;
}

TEST(ReplayedKeys, AKeyInsertedTwiceTakesAnothersPlace) {
  ReplayedKeys keys(1000);
  EXPECT_EQ(keys.Note(Batch({Insert({1, 2, 3}, 10, 7), Insert({3, 4}, 11, 7)})), 1u);
  EXPECT_EQ(keys.Note(Batch({Insert({1, 4, 5}, 12, 7)})), 2u);
}

TEST(ReplayedKeys, AnotherPartitionIsAnotherRow) {
  ReplayedKeys keys(1000);
  EXPECT_EQ(keys.Note(Batch({Insert({1}, 10, 7), Insert({1}, 11, 8)})), 0u);
}

TEST(ReplayedKeys, WhatWasDeletedBetweenIsNoDuplicate) {
  ReplayedKeys keys(1000);
  EXPECT_EQ(keys.Note(Batch({Insert({1}, 10, 7), Delete({1}, 11, 7), Insert({1}, 12, 7)})), 0u);
  EXPECT_EQ(keys.Note(Batch({Delete({1}, 13, kAllPartitions), Insert({1}, 14, 7)})), 0u);
  EXPECT_EQ(keys.Note(Batch({Delete({1}, 15, 8), Insert({1}, 16, 7)})), 1u);
}

TEST(ReplayedKeys, ABatchSentAgainReplacesItself) {
  ReplayedKeys keys(1000);
  const LaneBatch batch = Batch({Insert({1, 2}, 10, 7)});
  EXPECT_EQ(keys.Note(batch), 0u);
  EXPECT_EQ(keys.Note(batch), 0u);
}

TEST(ReplayedKeys, EndsWithTheReplay) {
  ReplayedKeys keys(1000);
  EXPECT_EQ(keys.Note(Batch({Insert({1}, 10, 7)})), 0u);
  EXPECT_EQ(keys.Note(Batch({Insert({2}, 11, 7)}, false)), 0u);
  EXPECT_EQ(keys.Note(Batch({Insert({1}, 12, 7)})), 0u);
}

LaneBatch Of(const std::string& lane, LaneBatch batch) {
  batch.lane = lane;
  return batch;
}

TEST(ReplayedKeys, EveryLaneIsItsOwn) {
  ReplayedKeys keys(1000);
  EXPECT_EQ(keys.Note(Of("a", Batch({Insert({1}, 10, 7)}))), 0u);
  EXPECT_EQ(keys.Note(Of("b", Batch({Insert({1}, 11, 7)}))), 0u);
  EXPECT_EQ(keys.Note(Of("a", Batch({Insert({1}, 12, 7)}))), 1u);
  EXPECT_EQ(keys.keys(), 2u);
  keys.Forget("a");
  EXPECT_EQ(keys.keys(), 1u);
  EXPECT_EQ(keys.Note(Of("a", Batch({Insert({1}, 13, 7)}))), 0u);
}

// A rewind by a day, say. Before, the memory for its keys had no bound.
TEST(ReplayedKeys, ALaneWithTooManyKeysIsNotCountedUntilItsReplayEnds) {
  ReplayedKeys keys(4);
  EXPECT_EQ(keys.Note(Of("a", Batch({Insert({1, 1, 2}, 10, 7)}))), 0u);
  EXPECT_EQ(keys.Note(Of("b", Batch({Insert({1, 2}, 11, 7)}))), 0u);
  EXPECT_EQ(keys.keys(), 4u);
  // What was found before the limit counts.
  EXPECT_EQ(keys.Note(Of("b", Batch({Insert({2, 3}, 12, 7), Insert({1}, 13, 7)}))), 1u);
  EXPECT_EQ(keys.keys(), 2u);
  EXPECT_EQ(keys.Note(Of("b", Batch({Insert({1}, 14, 7), Insert({1}, 15, 7)}))), 0u);
  EXPECT_EQ(keys.keys(), 2u);
  EXPECT_EQ(keys.Note(Of("a", Batch({Insert({1}, 16, 7)}))), 1u) << "the other lane is counted";
  EXPECT_EQ(keys.Note(Of("b", Batch({Insert({1}, 17, 7)}, false))), 0u);
  EXPECT_EQ(keys.Note(Of("b", Batch({Insert({1}, 18, 7), Insert({1}, 19, 7)}))), 1u);
  EXPECT_EQ(keys.keys(), 3u);
}

TEST(ReplayedKeys, WhatIsDeletedNeedsNoRoom) {
  ReplayedKeys keys(2);
  for (int64_t key = 0; key < 100; ++key) {
    EXPECT_EQ(keys.Note(Batch({Insert({key}, 10, 7), Insert({key}, 11, 8)})), 0u);
    EXPECT_EQ(keys.Note(Batch({Delete({key}, 12, kAllPartitions)})), 0u);
    EXPECT_EQ(keys.keys(), 0u);
  }
  EXPECT_EQ(keys.Note(Batch({Insert({1}, 13, 7), Insert({1}, 14, 7)})), 1u);
}

}  // namespace
}  // namespace cdc
