#include "model/task.h"

#include <gtest/gtest.h>

#include "model/change.h"
#include "model/position.h"

namespace cdc {
namespace {

TEST(Pattern, StarStandsForAnyRun) {
  EXPECT_TRUE(MatchPattern("*", ""));
  EXPECT_TRUE(MatchPattern("a*", "a"));
  EXPECT_TRUE(MatchPattern("a*c*e", "abcde"));
  EXPECT_TRUE(MatchPattern("*_tmp", "x_tmp_tmp"));
  EXPECT_FALSE(MatchPattern("a*c", "abcd"));
  EXPECT_FALSE(MatchPattern("", "a"));
  EXPECT_FALSE(MatchPattern("a.b", "axb"));
}

TEST(Pattern, OverlapMeansSomeNameMatchesBoth) {
  EXPECT_TRUE(PatternsOverlap("a*", "*b"));
  EXPECT_TRUE(PatternsOverlap("*", "x"));
  EXPECT_TRUE(PatternsOverlap("ab", "ab"));
  EXPECT_FALSE(PatternsOverlap("a*", "b*"));
  EXPECT_FALSE(PatternsOverlap("*a", "*b"));
  EXPECT_TRUE(PatternsOverlap("", "**"));
  EXPECT_FALSE(PatternsOverlap("", "*a*"));
  EXPECT_TRUE(PatternsOverlap("a*b*c", "*bb*c"));
  EXPECT_FALSE(PatternsOverlap("a*b", "a*bc"));
}

TEST(Pattern, ManyStarsCostNoMoreThanFew) {
  std::string a, b;
  for (int i = 0; i < 128; ++i) {
    a += "*a";
    b += "*b";
  }
  EXPECT_FALSE(PatternsOverlap(a, b));  // would not end if every way were tried
  EXPECT_TRUE(PatternsOverlap(a + "*", b));
  EXPECT_FALSE(MatchPattern(a + "c", std::string(256, 'a')));
}

TEST(Selection, ExcludesWinOverIncludes) {
  Selection selection;
  selection.includes = {{"default", "*"}, {"shop", "item_*"}};
  selection.excludes = {{"default", "tmp_*"}};
  EXPECT_TRUE(selection.Matches("default", "a"));
  EXPECT_FALSE(selection.Matches("default", "tmp_a"));
  EXPECT_TRUE(selection.Matches("shop", "item_1"));
  EXPECT_FALSE(selection.Matches("shop", "order"));
  EXPECT_TRUE(selection.MatchesWholeDatabase("default"));
  EXPECT_FALSE(selection.MatchesWholeDatabase("shop"));
}

TEST(Selection, AnExactMappingWinsAndTheRestFollowsItsDatabase) {
  Selection selection;
  selection.mappings = {
      {"shop", "special", {{"a", "b"}}}, {"shop", "copy", {}}, {"x", "y", {{"a", "c"}}}};
  EXPECT_EQ(selection.Map("shop", "a"), (TargetName{"special", "b"}));
  EXPECT_EQ(selection.Map("shop", "other"), (TargetName{"copy", "other"}));
  EXPECT_EQ(selection.Map("x", "a"), (TargetName{"y", "c"}));
  EXPECT_EQ(selection.Map("x", "other"), (TargetName{"y", "other"}));
  EXPECT_EQ(selection.Map("else", "a"), (TargetName{"else", "a"}));
  EXPECT_EQ(selection.MapDatabase("shop"), "copy");
}

TEST(LogPosition, TextComesBackAsItWas) {
  const LogPosition all[] = {
      {}, {LogPosition::Kind::kAt, {0, 446123456789012345}}, {LogPosition::Kind::kAfter, {12, 34}}};
  for (const LogPosition& position : all) {
    const auto parsed = ParseLogPosition(ToString(position));
    ASSERT_TRUE(parsed.ok()) << ToString(position);
    EXPECT_EQ(*parsed, position);
  }
  for (const char* bad : {"", "at", "at ", "at x", "after 1:", "before 1", "at 1 "}) {
    EXPECT_FALSE(ParseLogPosition(bad).ok()) << bad;
  }
}

TEST(ShardIndex, IsTheNumberBehindTheLastV) {
  EXPECT_EQ(ShardIndex("by-dev-rootcoord-dml_3_445566v0"), 0);
  EXPECT_EQ(ShardIndex("by-dev-rootcoord-dml_3_445566v12"), 12);
  EXPECT_EQ(ShardIndex("dml_3"), -1);
  EXPECT_EQ(ShardIndex("by-dev_v"), -1);
}

TEST(LogPosition, SaysWhichMessagesStandBeforeIt) {
  using Kind = LogPosition::Kind;
  const LogId id{3, 7};
  struct Case {
    LogPosition place;
    bool before;
  };
  const Case cases[] = {
      {{}, false},
      {{Kind::kAt, {3, 7}}, false},
      {{Kind::kAt, {3, 8}}, true},
      {{Kind::kAt, {4, 0}}, true},
      {{Kind::kAt, {2, 99}}, false},
      {{Kind::kAfter, {3, 7}}, true},
      {{Kind::kAfter, {3, 6}}, false},
  };
  for (const Case& c : cases) EXPECT_EQ(IsBefore(id, c.place), c.before) << ToString(c.place);
}

TEST(TargetAddress, HostAndPort) {
  for (const auto& [host, wanted] :
       {std::pair{"milvus.local", "milvus.local:19530"}, std::pair{"10.0.0.1", "10.0.0.1:19530"},
        std::pair{"::1", "[::1]:19530"}, std::pair{"[::1]", "[::1]:19530"}}) {
    TargetAddress address;
    address.host = host;
    EXPECT_EQ(address.host_and_port(), wanted);
  }
}

TEST(LogPosition, TheEarlierOneLetsAReaderSeeMore) {
  using Kind = LogPosition::Kind;
  const LogPosition in_order[] = {
      {}, {Kind::kAt, {0, 5}}, {Kind::kAfter, {0, 5}}, {Kind::kAt, {0, 6}}, {Kind::kAfter, {1, 0}}};
  for (const LogPosition& a : in_order) {
    for (const LogPosition& b : in_order) {
      const LogPosition& expected = &a < &b ? a : b;
      EXPECT_EQ(Earlier(a, b), expected) << ToString(a) << ", " << ToString(b);
    }
  }
}

}  // namespace
}  // namespace cdc
