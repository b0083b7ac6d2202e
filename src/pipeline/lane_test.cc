#include "pipeline/lane.h"

#include <gtest/gtest.h>

#include <deque>
#include <set>

#include "pipeline/manual_executor_test.h"

namespace cdc {
namespace {

using std::chrono::milliseconds;

class FakeSink final : public DataSink {
 public:
  void Send(std::shared_ptr<const LaneBatch> batch, Callback<size_t> through,
            Callback<SendOutcome> done) override {
    sent.push_back(std::move(batch));
    progress = std::move(through);
    waiting = std::move(done);
  }
  void Drain(const std::string&, Callback<Status> done) override {
    ++drains;
    draining = std::move(done);
  }
  void Answer(SendOutcome outcome = {}) { std::exchange(waiting, nullptr)(std::move(outcome)); }
  void Fail(const Error& error, size_t applied = 0) { Answer({error, applied}); }
  void Drained(Status status = OkStatus()) { std::exchange(draining, nullptr)(std::move(status)); }
  const LaneBatch& last() const { return *sent.back(); }

  std::vector<std::shared_ptr<const LaneBatch>> sent;
  int drains = 0;
  Callback<size_t> progress;
  Callback<SendOutcome> waiting;
  Callback<Status> draining;
};

class FakeClient final : public LaneClient {
 public:
  void OnLaneAcked(uint64_t token) override { acked.push_back(token); }
  void OnCollectionRefused(CollectionId collection, const Error&) override {
    refused.push_back(collection);
  }
  void OnLaneTrouble(const std::string&, const Error* error) override {
    trouble = error == nullptr ? "" : error->message;
  }
  std::vector<uint64_t> acked;
  std::vector<CollectionId> refused;
  std::string trouble;
};

using Tokens = std::vector<uint64_t>;

class LaneTest : public testing::Test {
 protected:
  std::unique_ptr<Lane> Make(bool merge, Timestamp last_stamp = 0) {
    Lane::Options options;
    options.merge = merge;
    options.max_batch_bytes = 4000;
    return std::make_unique<Lane>(
        "lane", options, last_stamp, &executor_, &sink_,
        [this](const std::string&, Timestamp stamp, std::function<void()> done) {
          fence_ = stamp;
          if (hold_fence_) {
            fence_done_ = std::move(done);
          } else {
            done();
          }
        });
  }

  void Put(Lane* lane, Lane::EdgeId edge, ChangeKind kind, Timestamp ts, uint64_t token,
           bool replay = false, CollectionId collection = 1) {
    Change change;
    change.kind = kind;
    change.ts = ts;
    change.collection_id = collection;
    lane->Enqueue(edge, std::move(change), nullptr, token, replay);
  }
  void Insert(Lane* lane, Lane::EdgeId edge, Timestamp ts, uint64_t token, bool replay = false,
              CollectionId collection = 1) {
    Put(lane, edge, ChangeKind::kInsert, ts, token, replay, collection);
  }

  static std::vector<Timestamp> Stamps(const LaneBatch& batch) {
    std::vector<Timestamp> out;
    for (const LaneItem& item : batch.items) out.push_back(item.stamp);
    return out;
  }
  using Times = std::vector<Timestamp>;

  ManualExecutor executor_;
  FakeSink sink_;
  FakeClient a_;
  FakeClient b_;
  Timestamp fence_ = 0;
  bool hold_fence_ = false;
  std::function<void()> fence_done_;
};

TEST_F(LaneTest, TicksNowAndThenAlthoughTheSourceIsSilent) {
  auto lane = Make(true, 100);
  lane->Join(&a_, 50);
  lane->OnTimer();
  const size_t before = sink_.sent.size();
  if (before > 0) sink_.Answer();
  const Timestamp stamp = lane->last_stamp();
  executor_.Run(milliseconds(2001));
  lane->OnTimer();
  ASSERT_EQ(sink_.sent.size(), before + 1);
  EXPECT_GT(sink_.last().tick, stamp);
}

TEST_F(LaneTest, WaitsForTheClockToPassAFenceAheadOfIt) {
  const Timestamp fence = ComposeTimestamp(executor_.WallMillis() + 700);
  auto lane = Make(true, fence);
  const auto edge = lane->Join(&a_, 0);
  Insert(lane.get(), edge, fence - 5, 1, true);
  lane->Advance(edge, fence - 5);
  executor_.Run(milliseconds(699));
  lane->OnTimer();
  EXPECT_TRUE(sink_.sent.empty());
  executor_.Run(milliseconds(1));
  lane->OnTimer();
  sink_.Drained();
  ASSERT_EQ(sink_.sent.size(), 1u);
  EXPECT_GT(sink_.last().items[0].stamp, fence);
}

TEST_F(LaneTest, NothingIsReplayedBeforeTheTargetAnswers) {
  auto lane = Make(true);
  const auto edge = lane->Join(&a_, 0);
  Insert(lane.get(), edge, 10, 1, true);
  lane->Advance(edge, 20);
  sink_.Drained(RetryError("the target does not answer"));
  EXPECT_EQ(a_.trouble, "the target does not answer");
  executor_.Run(milliseconds(200));
  EXPECT_EQ(sink_.drains, 2);
  EXPECT_TRUE(sink_.sent.empty());
  sink_.Drained();
  ASSERT_EQ(sink_.sent.size(), 1u);
  sink_.Answer();
  EXPECT_EQ(a_.trouble, "");
}

TEST_F(LaneTest, MergesEdgesByTime) {
  auto lane = Make(true);
  const auto a = lane->Join(&a_, 0);
  const auto b = lane->Join(&b_, 0);
  Insert(lane.get(), a, 10, 1);
  Insert(lane.get(), a, 30, 2);
  lane->Advance(a, 40);
  EXPECT_TRUE(sink_.sent.empty());  // b may still bring something older
  Insert(lane.get(), b, 20, 7);
  lane->Advance(b, 25);
  ASSERT_EQ(sink_.sent.size(), 1u);
  EXPECT_EQ(Stamps(sink_.last()), Times({10, 20}));
  EXPECT_EQ(sink_.last().tick, 25u);
  sink_.Answer();
  EXPECT_EQ(a_.acked, Tokens({1}));
  EXPECT_EQ(b_.acked, Tokens({7}));
  EXPECT_EQ(lane->acked_tick(), 25u);
  lane->Advance(b, 35);
  EXPECT_EQ(Stamps(sink_.last()), Times({30}));
  EXPECT_EQ(sink_.last().tick_before, 25u);
  EXPECT_EQ(sink_.last().tick, 35u);
}

TEST_F(LaneTest, AnEdgeHeldTooLongIsNotWaitedForAndStampedAnew) {
  auto lane = Make(true);
  const auto a = lane->Join(&a_, 0);
  const auto b = lane->Join(&b_, 0);
  lane->Advance(b, 5);
  Insert(lane.get(), a, 100, 1);
  lane->Advance(a, 100);
  executor_.Run(milliseconds(1001));
  lane->OnTimer();
  ASSERT_FALSE(sink_.sent.empty());
  while (sink_.waiting) sink_.Answer();
  EXPECT_EQ(a_.acked, Tokens({1}));
  Insert(lane.get(), b, 20, 7);
  lane->Advance(b, 20);
  EXPECT_EQ(Stamps(sink_.last()), Times({101}));  // above everything sent
}

TEST_F(LaneTest, ChangesOfOneTimeShareAStampAndOthersRise) {
  auto lane = Make(true, 1000);  // an earlier life sent up to 1000
  const auto a = lane->Join(&a_, 0);
  Put(lane.get(), a, ChangeKind::kDelete, 10, 1);
  Insert(lane.get(), a, 10, 2);
  Insert(lane.get(), a, 11, 3);
  Insert(lane.get(), a, 2000, 4);
  lane->Advance(a, 2000);
  ASSERT_EQ(sink_.sent.size(), 1u);
  EXPECT_EQ(Stamps(sink_.last()), Times({1001, 1001, 1002, 2000}));
  EXPECT_EQ(sink_.last().tick_before, 1000u);
}

TEST_F(LaneTest, AReplayedInsertLeavesRoomForItsDelete) {
  auto lane = Make(true, 1000);
  const auto a = lane->Join(&a_, 0);
  Put(lane.get(), a, ChangeKind::kDelete, 10, 1, true);
  Insert(lane.get(), a, 10, 2, true);
  Insert(lane.get(), a, 10, 3, true);
  lane->Advance(a, 10);
  ASSERT_TRUE(sink_.sent.empty());
  EXPECT_EQ(sink_.drains, 1);  // a call of an earlier life may still be on its way
  sink_.Drained();
  ASSERT_EQ(sink_.sent.size(), 1u);
  EXPECT_EQ(Stamps(sink_.last()), Times({1002, 1004, 1006}));
  EXPECT_TRUE(sink_.last().items[1].replay);
}

TEST_F(LaneTest, StampsStayAboveWhatTheTargetHoldsFromElsewhere) {
  auto lane = Make(true);
  lane->StampAbove(1000);
  lane->StampAbove(900);  // never lower
  const auto edge = lane->Join(&a_, 0);
  Insert(lane.get(), edge, 10, 1, true);
  Insert(lane.get(), edge, 20, 2);
  lane->Advance(edge, 20);
  sink_.Drained();
  EXPECT_EQ(Stamps(sink_.last()), (Times{1002, 1003}));
  EXPECT_GE(fence_, 1003u);
}

TEST_F(LaneTest, NothingIsSentBeforeItsFenceIsDurable) {
  hold_fence_ = true;
  auto lane = Make(true);
  const auto a = lane->Join(&a_, 0);
  Insert(lane.get(), a, 10, 1);
  lane->Advance(a, 12);
  EXPECT_TRUE(sink_.sent.empty());
  EXPECT_EQ(fence_, 12u);  // ticks included
  fence_done_();
  EXPECT_EQ(sink_.sent.size(), 1u);
}

TEST_F(LaneTest, OneCallAtATimeAndTheRestTogether) {
  auto lane = Make(false);
  const auto a = lane->Join(&a_, 0);
  Insert(lane.get(), a, 10, 1);
  lane->Advance(a, 10);
  Insert(lane.get(), a, 20, 2);
  Insert(lane.get(), a, 30, 3);
  lane->Advance(a, 30);
  ASSERT_EQ(sink_.sent.size(), 1u);
  EXPECT_FALSE(lane->Quiet(a));
  sink_.Answer();
  ASSERT_EQ(sink_.sent.size(), 2u);
  EXPECT_EQ(sink_.last().items.size(), 2u);
  EXPECT_EQ(sink_.last().tick, 0u);
  sink_.Answer();
  EXPECT_TRUE(lane->Quiet(a));
  EXPECT_EQ(a_.acked, Tokens({1, 2, 3}));
}

TEST_F(LaneTest, AFailedCallIsDrainedAndRepeatedIdempotently) {
  auto lane = Make(false);
  const auto a = lane->Join(&a_, 0);
  Put(lane.get(), a, ChangeKind::kDelete, 10, 1);
  Insert(lane.get(), a, 20, 2);
  Insert(lane.get(), a, 30, 3);
  lane->Advance(a, 30);
  sink_.Fail(RetryError("away"), 1);
  EXPECT_EQ(a_.acked, Tokens({1}));  // certainly applied
  EXPECT_EQ(a_.trouble, "away");
  executor_.Run(milliseconds(50));
  EXPECT_EQ(sink_.sent.size(), 1u);
  EXPECT_EQ(sink_.drains, 1);
  sink_.Drained();
  executor_.Run(milliseconds(100));
  ASSERT_EQ(sink_.sent.size(), 2u);
  ASSERT_EQ(sink_.last().items.size(), 2u);
  EXPECT_TRUE(sink_.last().items[0].replay);
  sink_.Answer();
  EXPECT_EQ(a_.acked, Tokens({1, 2, 3}));
  EXPECT_EQ(a_.trouble, "");
}

TEST_F(LaneTest, WhatAFailedCallAppliedIsReadableWithTheNextTick) {
  auto lane = Make(true);
  const auto a = lane->Join(&a_, 0);
  Insert(lane.get(), a, 10, 1);
  lane->Advance(a, 10);
  sink_.Fail(RetryError("away"), 1);
  EXPECT_EQ(a_.acked, Tokens({}));
  sink_.Drained();
  executor_.Run(milliseconds(100));
  ASSERT_EQ(sink_.sent.size(), 2u);
  EXPECT_TRUE(sink_.last().items.empty());
  EXPECT_GT(sink_.last().tick, 10u);
  sink_.Answer();
  EXPECT_EQ(a_.acked, Tokens({1}));
}

TEST_F(LaneTest, OnlyTheOffendingCollectionIsRefused) {
  auto lane = Make(false);
  const auto a = lane->Join(&a_, 0);
  Insert(lane.get(), a, 10, 1, false, 7);
  Insert(lane.get(), a, 20, 2, false, 8);
  Insert(lane.get(), a, 30, 3, false, 7);
  lane->Advance(a, 30);
  const Error error = FatalError("collection not found");
  sink_.Fail(error);
  sink_.Drained();
  ASSERT_EQ(sink_.last().items.size(), 1u);  // alone: collection 7
  sink_.Fail(error);
  executor_.Run();
  EXPECT_EQ(a_.refused, std::vector<CollectionId>({7}));
  ASSERT_EQ(sink_.last().items.size(), 1u);
  EXPECT_EQ(sink_.last().items[0].change.collection_id, 8);
  sink_.Answer();
  EXPECT_EQ(a_.acked, Tokens({2}));
  EXPECT_EQ(sink_.sent.size(), 3u);
}

TEST_F(LaneTest, APromotedTargetIsNeverWrittenToAgain) {
  auto lane = Make(true);
  const auto a = lane->Join(&a_, 0);
  Insert(lane.get(), a, 10, 1);
  lane->Advance(a, 10);
  sink_.Fail(FatalError("promoted", ErrorKind::kNotStandby));
  EXPECT_EQ(a_.trouble, "promoted");
  Insert(lane.get(), a, 20, 2);
  lane->Advance(a, 20);
  executor_.Run(std::chrono::seconds(60));
  lane->OnTimer();
  EXPECT_EQ(sink_.sent.size(), 1u);
}

TEST_F(LaneTest, TicksFollowRowsAtOnceAndComeSlowlyWhenIdle) {
  auto lane = Make(true);
  const auto a = lane->Join(&a_, 0);
  Insert(lane.get(), a, 10, 1);
  lane->Advance(a, 10);
  sink_.Answer();
  lane->Advance(a, 20);  // hot: at once
  ASSERT_EQ(sink_.sent.size(), 2u);
  sink_.Answer();
  executor_.Run(milliseconds(2001));
  lane->Advance(a, 30);
  ASSERT_EQ(sink_.sent.size(), 3u);  // idle for longer than the interval
  sink_.Answer();
  lane->Advance(a, 40);
  EXPECT_EQ(sink_.sent.size(), 3u);
  executor_.Run(milliseconds(500));
  lane->OnTimer();
  EXPECT_EQ(sink_.sent.size(), 4u);
  EXPECT_EQ(sink_.last().tick, 40u);
}

TEST_F(LaneTest, WithoutEdgesThereIsNoTick) {
  auto lane = Make(true);
  const auto a = lane->Join(&a_, 0);
  lane->Advance(a, 10);
  sink_.Answer();
  lane->Leave(a);
  executor_.Run(std::chrono::seconds(5));
  lane->OnTimer();
  EXPECT_EQ(sink_.sent.size(), 1u);
}

TEST_F(LaneTest, ADropStandsBehindTheRowsAndBelowTheTick) {
  auto lane = Make(true);
  const auto a = lane->Join(&a_, 0);
  Insert(lane.get(), a, 10, 1);
  lane->Advance(a, 10);
  bool done = false;
  lane->InjectDrop(ChangeKind::kDropCollection, nullptr, 7, [&] { done = true; });
  sink_.Answer();
  ASSERT_EQ(sink_.last().items.size(), 1u);
  EXPECT_EQ(sink_.last().items[0].change.kind, ChangeKind::kDropCollection);
  EXPECT_GT(sink_.last().items[0].stamp, 10u);
  EXPECT_FALSE(done);
  sink_.Answer();
  EXPECT_TRUE(done);
}

TEST_F(LaneTest, DiscardedEntriesAreNotSentAndThoseInFlightAreReported) {
  auto lane = Make(false);
  const auto a = lane->Join(&a_, 0);
  Insert(lane.get(), a, 10, 1);
  lane->Advance(a, 10);
  Insert(lane.get(), a, 20, 2);
  lane->Advance(a, 20);
  lane->Discard(a);
  sink_.Answer();
  EXPECT_EQ(a_.acked, Tokens({1}));
  EXPECT_EQ(sink_.sent.size(), 1u);
}

TEST_F(LaneTest, ABatchKeepsToItsSize) {
  auto lane = Make(true);
  const auto a = lane->Join(&a_, 0);
  const size_t fit = 4000 / Change().MemoryUsage();
  for (uint64_t i = 1; i <= fit + 5; ++i) Insert(lane.get(), a, i, i);
  lane->Advance(a, 1000);
  ASSERT_EQ(sink_.sent.size(), 1u);
  EXPECT_EQ(sink_.last().items.size(), fit);
  EXPECT_EQ(sink_.last().tick, fit);  // not beyond what is left
  sink_.Answer();
  EXPECT_EQ(sink_.last().items.size(), 5u);
  EXPECT_EQ(sink_.last().tick, 1000u);
}

TEST_F(LaneTest, WhatIsThroughCountsBeforeTheRestOfItsBatch) {
  auto lane = Make(false);
  const auto a = lane->Join(&a_, 0);
  for (uint64_t i = 1; i <= 5; ++i) Insert(lane.get(), a, i, i);
  lane->Advance(a, 1000);
  ASSERT_EQ(sink_.last().items.size(), 5u);
  sink_.progress(2);
  EXPECT_EQ(a_.acked, (Tokens{1, 2}));
  sink_.progress(2);
  sink_.progress(3);
  EXPECT_EQ(a_.acked, (Tokens{1, 2, 3}));
  EXPECT_EQ(sink_.sent.size(), 1u);
  sink_.Answer();
  EXPECT_EQ(a_.acked, (Tokens{1, 2, 3, 4, 5}));
}

TEST_F(LaneTest, WhatIsThroughIsNotRepeatedAfterAFailure) {
  auto lane = Make(false);
  const auto a = lane->Join(&a_, 0);
  for (uint64_t i = 1; i <= 5; ++i) Insert(lane.get(), a, i, i);
  lane->Advance(a, 1000);
  sink_.progress(2);
  sink_.Fail(RetryError("gone", ErrorKind::kUnavailable), 3);
  EXPECT_EQ(a_.acked, (Tokens{1, 2, 3}));
  sink_.Drained();
  executor_.Run(milliseconds(500));
  ASSERT_EQ(sink_.sent.size(), 2u);
  EXPECT_EQ(sink_.last().items.size(), 2u);
  EXPECT_TRUE(sink_.last().items[0].replay);
  sink_.Answer();
  EXPECT_EQ(a_.acked, (Tokens{1, 2, 3, 4, 5}));
}

TEST_F(LaneTest, OnAStandbyNothingCountsBeforeItsTick) {
  auto lane = Make(true);
  const auto a = lane->Join(&a_, 0);
  Insert(lane.get(), a, 10, 1);
  Insert(lane.get(), a, 20, 2);
  lane->Advance(a, 1000);
  sink_.progress(1);
  EXPECT_TRUE(a_.acked.empty());
  sink_.Answer();
  EXPECT_EQ(a_.acked, (Tokens{1, 2}));
}

}  // namespace
}  // namespace cdc
