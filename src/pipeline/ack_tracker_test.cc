#include "pipeline/ack_tracker.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

using Kind = LogPosition::Kind;

LogId Id(uint64_t n) {
  return {0, n};
}
LogPosition At(uint64_t n) {
  return {Kind::kAt, Id(n)};
}
LogPosition After(uint64_t n) {
  return {Kind::kAfter, Id(n)};
}

TEST(AckTracker, BeginsWhereItWasTold) {
  const AckTracker tracker(After(7), 50);
  EXPECT_EQ(tracker.Seek(), After(7));
  EXPECT_EQ(tracker.Filter(), 50u);
  EXPECT_EQ(tracker.OldestOutstanding(), 0u);
}

TEST(AckTracker, SeeksTheLowestIdThatIsNotAcknowledged) {
  AckTracker tracker(At(1), 0);
  const uint64_t first = tracker.Add(Id(1), 10);
  const uint64_t second = tracker.Add(Id(2), 20);
  tracker.Seen(Id(3));
  tracker.Resolve(30);
  tracker.Ack(second);
  EXPECT_EQ(tracker.Seek(), At(1));
  EXPECT_EQ(tracker.Filter(), 9u);
  EXPECT_EQ(tracker.OldestOutstanding(), 10u);
  tracker.Ack(first);
  EXPECT_EQ(tracker.Seek(), After(3));
  EXPECT_EQ(tracker.Filter(), 30u);
  EXPECT_EQ(tracker.outstanding(), 0u);
}

TEST(AckTracker, FilterDoesNotPassTheTick) {
  AckTracker tracker(At(1), 0);
  tracker.Resolve(15);
  tracker.Ack(tracker.Add(Id(1), 20));
  EXPECT_EQ(tracker.Filter(), 15u);
  tracker.Resolve(14);  // an older tick changes nothing
  EXPECT_EQ(tracker.Filter(), 15u);
}

TEST(AckTracker, FilterMovesAtWholeTimestampsOnly) {
  AckTracker tracker(At(1), 0);
  const uint64_t first = tracker.Add(Id(1), 20);
  const uint64_t second = tracker.Add(Id(2), 20);
  tracker.Resolve(30);
  tracker.Ack(first);
  EXPECT_EQ(tracker.Filter(), 19u);
  tracker.Ack(second);
  EXPECT_EQ(tracker.Filter(), 30u);
}

// The insert of ts 30 stands in the log before the changes of ts 10 and 20. Were it left out when
// those are read again, the repeated delete of ts 20 would remove its row for good.
TEST(AckTracker, ReadsAgainWhatIsAcknowledgedAboveTheFilter) {
  AckTracker tracker(At(1), 0);
  const uint64_t insert = tracker.Add(Id(1), 30);
  const uint64_t other = tracker.Add(Id(2), 10);
  const uint64_t erase = tracker.Add(Id(3), 20);
  tracker.Resolve(40);
  tracker.Ack(insert);
  tracker.Ack(erase);
  EXPECT_EQ(tracker.Filter(), 9u);
  EXPECT_EQ(tracker.Seek(), At(1));
  tracker.Ack(other);
  EXPECT_EQ(tracker.Seek(), After(3));
}

TEST(AckTracker, WhatNoTickCoversKeepsItsPlace) {
  AckTracker tracker(At(1), 0);
  tracker.Ack(tracker.Add(Id(1), 30));
  EXPECT_EQ(tracker.Seek(), At(1));
  tracker.Resolve(30);
  EXPECT_EQ(tracker.Seek(), After(1));
}

TEST(AckTracker, AcknowledgingTwiceOrUnknownIsNothing) {
  AckTracker tracker(At(1), 0);
  const uint64_t first = tracker.Add(Id(1), 10);
  const uint64_t second = tracker.Add(Id(2), 20);
  tracker.Resolve(30);
  tracker.Ack(first);
  tracker.Ack(first);
  tracker.Ack(second + 1);
  tracker.Ack(0);
  EXPECT_EQ(tracker.outstanding(), 1u);
  EXPECT_EQ(tracker.Seek(), At(2));
}

}  // namespace
}  // namespace cdc
