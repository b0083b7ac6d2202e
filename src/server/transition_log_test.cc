#include "server/transition_log.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

TEST(TransitionLogTest, TellsWhereFromWhereToWhenAndWhy) {
  TransitionLog log;
  EXPECT_TRUE(log.Of("t").empty());
  EXPECT_EQ(log.SinceMs("t"), std::nullopt);
  log.Record("t", RunState::kRunning, "created", 5);
  log.Record("t", RunState::kFailed, "the target was promoted", 9);
  const auto all = log.Of("t");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].from, std::nullopt);
  EXPECT_EQ(all[0].to, RunState::kRunning);
  EXPECT_EQ(all[1].from, RunState::kRunning);
  EXPECT_EQ(all[1].to, RunState::kFailed);
  EXPECT_EQ(all[1].reason, "the target was promoted");
  EXPECT_EQ(log.SinceMs("t"), 9);
  log.Forget("t");
  EXPECT_TRUE(log.Of("t").empty());
}

TEST(TransitionLogTest, OfALoadedTaskTheStateIsKnownAndItsTimeIsNot) {
  TransitionLog log;
  log.Load("t", RunState::kPaused);
  EXPECT_TRUE(log.Of("t").empty());
  EXPECT_EQ(log.SinceMs("t"), std::nullopt);
  log.Record("t", RunState::kRunning, "", 7);
  EXPECT_EQ(log.Of("t").at(0).from, RunState::kPaused);
}

TEST(TransitionLogTest, KeepsTheLastOnes) {
  TransitionLog log;
  for (int i = 0; i < 100; ++i) log.Record("t", RunState::kRunning, "", i);
  log.Record("other", RunState::kRunning, "", 0);
  const auto all = log.Of("t");
  ASSERT_EQ(all.size(), TransitionLog::kKept);
  EXPECT_EQ(all.front().at_ms, 80);
  EXPECT_EQ(all.back().at_ms, 99);
  EXPECT_EQ(log.Of("other").size(), 1u);
}

}  // namespace
}  // namespace cdc
