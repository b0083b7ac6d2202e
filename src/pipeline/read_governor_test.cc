#include "pipeline/read_governor.h"

#include <gtest/gtest.h>

#include "pipeline/manual_executor_test.h"

namespace cdc {
namespace {

class ReadGovernorTest : public testing::Test {
 protected:
  ReadGovernor::Id Add(Timestamp resolved, bool awaited = true) {
    const size_t index = resumed_.size();
    resumed_.push_back(0);
    const ReadGovernor::Id id = governor_.Register([this, index] { ++resumed_[index]; });
    governor_.SetResolved(id, resolved);
    governor_.SetAwaited(id, awaited);
    return id;
  }

  ManualExecutor executor_;
  ReadGovernor governor_{&executor_, {100, 10}};
  std::vector<int> resumed_;
};

TEST_F(ReadGovernorTest, BelowTheLimitAllMayRead) {
  const auto a = Add(5);
  const auto b = Add(9);
  governor_.Charge(a, 99);
  EXPECT_TRUE(governor_.MayRead(a));
  EXPECT_TRUE(governor_.MayRead(b));
}

TEST_F(ReadGovernorTest, AtTheLimitTheReserveAndTheLowestRemain) {
  const auto low = Add(5);
  const auto high = Add(9);
  const auto small = Add(20);
  governor_.Charge(low, 60);
  governor_.Charge(high, 60);
  governor_.Charge(small, 9);
  EXPECT_TRUE(governor_.MayRead(low));
  EXPECT_FALSE(governor_.MayRead(high));
  EXPECT_TRUE(governor_.MayRead(small));
}

TEST_F(ReadGovernorTest, TheLowestWaitsWhileOthersHoldWhatItHandedOn) {
  const auto low = Add(5);
  governor_.Charge(low, 120);
  governor_.SetHanded(low, true);
  EXPECT_FALSE(governor_.MayRead(low));
  governor_.SetHanded(low, false);
  executor_.Run();
  EXPECT_EQ(resumed_[0], 1);
  EXPECT_TRUE(governor_.MayRead(low));
}

TEST_F(ReadGovernorTest, ChannelsThatNobodyAwaitsDoNotCountAsLowest) {
  const auto idle = Add(1, false);
  const auto low = Add(5);
  governor_.Charge(idle, 60);
  governor_.Charge(low, 60);
  EXPECT_TRUE(governor_.MayRead(low));
}

TEST_F(ReadGovernorTest, WhoWasRefusedIsResumedOnceWhenItMay) {
  const auto low = Add(5);
  const auto high = Add(9);
  governor_.Charge(low, 60);
  governor_.Charge(high, 60);
  EXPECT_FALSE(governor_.MayRead(high));
  EXPECT_FALSE(governor_.MayRead(high));
  governor_.Release(low, 10);
  executor_.Run();
  EXPECT_EQ(resumed_[1], 0);
  governor_.Release(low, 20);
  executor_.Run();
  EXPECT_EQ(resumed_[1], 1);
  governor_.Release(low, 20);
  executor_.Run();
  EXPECT_EQ(resumed_[1], 1);
}

TEST_F(ReadGovernorTest, OvertakingTheOtherResumesIt) {
  const auto low = Add(5);
  const auto high = Add(9);
  governor_.Charge(low, 60);
  governor_.Charge(high, 60);
  EXPECT_FALSE(governor_.MayRead(high));
  governor_.SetResolved(low, 10);
  executor_.Run();
  EXPECT_EQ(resumed_[1], 1);
}

// What a read brings is one and a half times what was asked for at most.
TEST(ReadGovernorShareTest, HoweverManyChannelsThereAreLittleIsHeldBeyondTheLimit) {
  constexpr size_t kLimit = 32 << 20;
  for (const size_t count : {1, 4, 16, 64, 500}) {
    ManualExecutor executor;
    ReadGovernor governor(&executor, {kLimit, 1 << 20});
    std::vector<ReadGovernor::Id> ids;
    for (size_t i = 0; i < count; ++i) {
      ids.push_back(governor.Register([] {}));
      governor.SetAwaited(ids.back(), true);
      governor.SetHanded(ids.back(), true);  // the target takes nothing
    }
    for (bool any = true; any;) {
      std::vector<ReadGovernor::Id> reading;  // all at once: none has brought anything yet
      for (const auto id : ids) {
        if (governor.MayRead(id)) reading.push_back(id);
      }
      for (const auto id : reading) governor.Charge(id, governor.Share() * 3 / 2);
      any = !reading.empty();
      ASSERT_LE(governor.used(), 2 * kLimit) << count << " channels";
    }
    EXPECT_GE(governor.used(), kLimit) << count << " channels";
    EXPECT_LE(governor.used(), count == 1 ? kLimit * 3 / 2 : kLimit * 5 / 3) << count;
  }
}

TEST_F(ReadGovernorTest, LeavingGivesBackTheBytes) {
  const auto a = Add(5);
  const auto b = Add(9);
  governor_.Charge(a, 90);
  governor_.Charge(b, 30);
  EXPECT_FALSE(governor_.MayRead(b));
  governor_.Unregister(a);
  EXPECT_EQ(governor_.used(), 30u);
  executor_.Run();
  EXPECT_EQ(resumed_[1], 1);
}

}  // namespace
}  // namespace cdc
