#include "pipeline/start_rule.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

using Kind = LogPosition::Kind;
using Place = StartRule::Place;

constexpr CollectionId kGiven = 1;    // begins at message 10, later than 500
constexpr CollectionId kAdopted = 2;  // begins behind message 5, and may be on the target
constexpr CollectionId kWhole = 3;    // all that the log holds of it
constexpr CollectionId kNow = 4;      // nothing was said about it

TaskStart Start() {
  TaskStart start;
  start.collections[kGiven]["a"] = {{Kind::kAt, {0, 10}}, 500};
  start.collections[kAdopted]["a"] = {{Kind::kAfter, {0, 5}}, 0};
  start.collections[kWhole]["a"] = {};
  start.collections[kGiven]["empty"] = {};
  start.others["a"] = {Kind::kAfter, {0, 20}};
  start.adopted = {kAdopted};
  return start;
}

struct Case {
  const char* what;
  CollectionId collection;
  const char* channel;
  uint64_t id;
  Timestamp ts;
  Place place;
};

class PlaceOfAChange : public testing::TestWithParam<Case> {};

TEST_P(PlaceOfAChange, FollowsFromIdAndTime) {
  Change change;
  change.kind = ChangeKind::kInsert;
  change.collection_id = GetParam().collection;
  change.id = {0, GetParam().id};
  change.ts = GetParam().ts;
  EXPECT_EQ(StartRule(Start()).PlaceOf(GetParam().channel, change), GetParam().place);
}

INSTANTIATE_TEST_SUITE_P(
    All, PlaceOfAChange,
    testing::Values(Case{"BeforeItsPosition", kGiven, "a", 9, 900, Place::kBefore},
                    Case{"AtItsPosition", kGiven, "a", 10, 900, Place::kCounts},
                    Case{"AtItsPositionAndTooOld", kGiven, "a", 10, 500, Place::kBefore},
                    Case{"JustLaterThanItsTime", kGiven, "a", 11, 501, Place::kCounts},
                    Case{"TooOldEvenBehindTheEnd", kGiven, "a", 21, 500, Place::kBefore},
                    Case{"TheMessageThatItBeginsBehind", kAdopted, "a", 5, 900, Place::kBefore},
                    Case{"WrittenBeforeTheTaskWasMade", kAdopted, "a", 6, 1, Place::kMayBeThere},
                    Case{"TheLastOneBeforeTheTaskWasMade", kAdopted, "a", 20, 1,
                         Place::kMayBeThere},
                    Case{"WrittenSince", kAdopted, "a", 21, 1, Place::kCounts},
                    Case{"FromTheFirstOn", kWhole, "a", 1, 1, Place::kCounts},
                    Case{"OthersBeginAtTheEnd", kNow, "a", 20, 900, Place::kBefore},
                    Case{"OthersBeginBehindTheEnd", kNow, "a", 21, 1, Place::kCounts},
                    Case{"OthersOnAChannelThatWasEmpty", kNow, "empty", 1, 1, Place::kCounts},
                    Case{"GivenOnAChannelThatWasEmpty", kGiven, "empty", 1, 1, Place::kCounts},
                    Case{"AChannelThatCameLater", kGiven, "later", 1, 1, Place::kCounts}),
    [](const auto& all) { return all.param.what; });

TEST(StartRule, WithoutAStartEverythingCounts) {
  Change change;
  change.collection_id = kGiven;
  EXPECT_EQ(StartRule(TaskStart()).PlaceOf("a", change), Place::kCounts);
}

}  // namespace
}  // namespace cdc
