#include "cli/time_text.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

TEST(TimeTextTest, InstantsAreReadAsTheyAreWritten) {
  EXPECT_EQ(InstantText(1'778'311'800'999), "2026-05-09T07:30:00Z");
  for (const char* text : {"2026-05-09T07:30:00Z", "2026-05-09T09:30:00+02:00",
                           "2026-05-09T02:00:00-05:30", "1778311800000"}) {
    const Result<int64_t> ms = ParseInstant(text);
    ASSERT_TRUE(ms.ok()) << text;
    EXPECT_EQ(*ms, 1'778'311'800'000) << text;
  }
}

TEST(TimeTextTest, WhatIsNoInstantIsRefused) {
  for (const char* text :
       {"", "yesterday", "2026-05-09", "2026-05-09T07:30:00", "2026-05-09T07:30:00Zulu",
        "2026-02-30T07:30:00Z", "2026-13-01T07:30:00Z", "1778311800", "-1", "1778311800000ms",
        "99999999999999999999"}) {
    const Result<int64_t> ms = ParseInstant(text);
    ASSERT_FALSE(ms.ok()) << text;
    EXPECT_EQ(ms.error().kind, ErrorKind::kInvalid);
  }
}

TEST(TimeTextTest, SpansHaveTwoUnitsAtMost) {
  EXPECT_EQ(DurationText(-5), "0ms");
  EXPECT_EQ(DurationText(0), "0ms");
  EXPECT_EQ(DurationText(999), "999ms");
  EXPECT_EQ(DurationText(2'450), "2.4s");
  EXPECT_EQ(DurationText(59'999), "59.9s");
  EXPECT_EQ(DurationText(312'000), "5m12s");
  EXPECT_EQ(DurationText(3'600'000 * 3 + 60'000 * 4), "3h04m");
  EXPECT_EQ(DurationText(86'400'000LL * 2 + 3'600'000 * 3), "2d03h");
}

}  // namespace
}  // namespace cdc
