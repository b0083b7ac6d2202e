#include "pipeline/drop_barrier.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

TEST(DropBarrier, WaitsForEveryChannel) {
  DropBarrier barrier({"a", "b", "a"});
  EXPECT_FALSE(barrier.Complete());
  barrier.Message("a", 4, 100);
  EXPECT_FALSE(barrier.Complete());
  EXPECT_FALSE(barrier.IsWaitingFor("a"));
  EXPECT_TRUE(barrier.IsWaitingFor("b"));
  barrier.Pass("b");
  EXPECT_TRUE(barrier.Complete());
  EXPECT_EQ(barrier.ts(), 100u);
  ASSERT_EQ(barrier.tokens().size(), 1u);
  EXPECT_EQ(barrier.tokens()[0], std::pair(std::string("a"), uint64_t{4}));
}

TEST(DropBarrier, WithoutChannelsNothingIsWaitedFor) {
  EXPECT_TRUE(DropBarrier({}).Complete());
}

TEST(DropBarrier, KnowsWatermarksByChannel) {
  DropBarrier barrier({"a", "b"});
  EXPECT_FALSE(barrier.has_watermarks());
  const LogPosition end{LogPosition::Kind::kAfter, {0, 9}};
  barrier.SetWatermarks({{"a", end}});
  ASSERT_NE(barrier.Watermark("a"), nullptr);
  EXPECT_EQ(*barrier.Watermark("a"), end);
  EXPECT_EQ(barrier.Watermark("b"), nullptr);
  EXPECT_EQ(barrier.ts(), 0u);  // no message yet
}

}  // namespace
}  // namespace cdc
