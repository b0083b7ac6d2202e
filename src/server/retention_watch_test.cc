#include "server/retention_watch.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;

HeldChannel Channel(int64_t checkpoint_age_s, int64_t oldest_age_s, bool trimmed) {
  HeldChannel channel;
  channel.name = "dml_3";
  channel.checkpoint = ComposeTimestamp(kNow - checkpoint_age_s * 1000);
  channel.oldest = ComposeTimestamp(kNow - oldest_age_s * 1000);
  channel.trimmed = trimmed;
  channel.bytes = 12345;
  return channel;
}

TEST(RetentionWatch, HeadroomIsWhatLiesBeforeTheCheckpoint) {
  const Headroom headroom = JudgeHeadroom(Channel(100, 3600, true), kNow);
  EXPECT_EQ(headroom.seconds, 3500);
  EXPECT_EQ(headroom.bytes, 12345u);
  EXPECT_EQ(headroom.warning, "");
}

TEST(RetentionWatch, WarnsWhenTheLogDeletesCloseBehindATask) {
  EXPECT_EQ(JudgeHeadroom(Channel(2700, 3601, true), kNow).warning, "");
  const Headroom headroom = JudgeHeadroom(Channel(2800, 3600, true), kNow);
  EXPECT_NE(headroom.warning.find("dml_3"), std::string::npos);
  EXPECT_NE(headroom.warning.find("800 s"), std::string::npos);
  EXPECT_NE(headroom.warning.find("2800 s behind"), std::string::npos);
}

TEST(RetentionWatch, ALogThatNeverDeletedAndATaskThatKeepsUpAreNoDanger) {
  EXPECT_EQ(JudgeHeadroom(Channel(2800, 3600, false), kNow).warning, "");
  EXPECT_EQ(JudgeHeadroom(Channel(20, 21, true), kNow).warning, "");
}

TEST(RetentionWatch, AMessageNewerThanTheCheckpointLeavesNoHeadroom) {
  const Headroom headroom = JudgeHeadroom(Channel(100, 90, true), kNow);
  EXPECT_EQ(headroom.seconds, 0);
  EXPECT_NE(headroom.warning, "");
}

TEST(RetentionWatch, OnlyChannelsOfReplicatedObjectsMatter) {
  TaskProgress progress;
  progress.channels["a"] = {"a", {}, 1, 1};
  progress.channels["b"] = {"b", {}, 2, 2};
  progress.objects[7].pchannels = {"b", "c"};
  const auto needed = NeededChannels(progress);
  ASSERT_EQ(needed.size(), 1u);
  EXPECT_EQ(needed.at("b").filter, 2u);
}

}  // namespace
}  // namespace cdc
