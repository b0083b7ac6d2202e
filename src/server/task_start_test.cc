#include "server/task_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/format.h"

namespace cdc {
namespace {

using Kind = LogPosition::Kind;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

LogPosition At(uint64_t n) {
  return {Kind::kAt, {0, n}};
}
LogPosition After(uint64_t n) {
  return {Kind::kAfter, {0, n}};
}

// Message ids of these tests are decimal texts.
Result<LogId> Decode(const std::string& bytes) {
  if (bytes.empty() || bytes[0] == 'x') return CorruptError("not an id");
  return LogId{0, std::stoull(bytes)};
}

SourceCollectionPtr Collection(CollectionId id, DatabaseId db, const std::string& name,
                               const std::vector<int>& channels) {
  SourceCollection c;
  c.id = id;
  c.db_id = db;
  c.name = name;
  for (const int channel : channels) {
    c.pchannels.push_back(Format("ch{}", channel));
    c.vchannels.push_back(Format("ch{}_{}v{}", channel, id, c.vchannels.size()));
    c.start_positions[c.pchannels.back()] = std::to_string(id);
  }
  return std::make_shared<const SourceCollection>(std::move(c));
}

// The logs of ch0, ch1 and ch2 end at 100, 101 and 102; nothing is in ch3 yet.
class TaskStartTest : public testing::Test {
 protected:
  TaskStartTest() {
    catalog_.databases = {{1, "default"}, {2, "shop"}};
    catalog_.collections = {Collection(10, 1, "a", {0, 1}), Collection(11, 1, "b", {1, 2}),
                            Collection(12, 2, "a", {2}), Collection(13, 2, "new", {3})};
    source_.ends = {{"ch0", After(100)},
                    {"ch1", After(101)},
                    {"ch2", After(102)},
                    {"ch3", {}},
                    {"ops", After(50)}};
    source_.operation_topic = "ops";
    source_.now = 7000;
    source_.decode = Decode;
    spec_.selection.includes = {{"*", "*"}};
  }

  void Give(const NamePattern& of, const std::string& channel, const std::string& id,
            Timestamp after = 0) {
    spec_.start_request.positions.push_back({of, channel, id, after});
  }
  Result<ResolvedStart> Resolve() {
    const auto plan = PlanSource(spec_.selection, catalog_);
    EXPECT_TRUE(plan.ok());
    return ResolveStart(spec_, *plan, source_);
  }
  std::string Refusal(ErrorKind kind = ErrorKind::kInvalid) {
    const auto resolved = Resolve();
    if (resolved.ok()) return "accepted";
    EXPECT_EQ(resolved.error().kind, kind);
    return resolved.error().message;
  }

  CatalogUpdate catalog_;
  SourceNow source_;
  TaskSpec spec_;
};

TEST_F(TaskStartTest, WithoutAWordEverythingBeginsAtTheEnd) {
  spec_.adopt = true;
  const auto resolved = Resolve();
  ASSERT_TRUE(resolved.ok());
  EXPECT_EQ(resolved->start, TaskStart());
  EXPECT_THAT(resolved->channels, ElementsAre(Pair("ch0", After(100)), Pair("ch1", After(101)),
                                              Pair("ch2", After(102)), Pair("ch3", LogPosition())));
  EXPECT_EQ(resolved->operations, After(50));
  EXPECT_THAT(resolved->wishes, IsEmpty());
}

TEST_F(TaskStartTest, OneWithPositionsBesideOthersWithout) {
  Give({"default", "a"}, "ch0_10v0", "30", 900);
  Give({"default", "a"}, "ch1_10v1", "40");
  const auto resolved = Resolve();
  ASSERT_TRUE(resolved.ok()) << resolved.error().message;
  EXPECT_THAT(resolved->start.collections,
              ElementsAre(Pair(10, ElementsAre(Pair("ch0", StartPoint{At(30), 900}),
                                               Pair("ch1", StartPoint{At(40), 0})))));
  EXPECT_THAT(resolved->start.others,
              ElementsAre(Pair("ch0", After(100)), Pair("ch1", After(101)), Pair("ch2", After(102)),
                          Pair("ch3", LogPosition())));
  EXPECT_THAT(resolved->start.adopted, ElementsAre(10));
  EXPECT_EQ(resolved->start.made_ts, 7000u);
  EXPECT_THAT(resolved->channels, ElementsAre(Pair("ch0", At(30)), Pair("ch1", At(40)),
                                              Pair("ch2", After(102)), Pair("ch3", LogPosition())));
  EXPECT_EQ(resolved->wishes.size(), 2u);
}

TEST_F(TaskStartTest, APatternWithPchannels) {
  for (const char* channel : {"ch0", "ch1", "ch2"}) Give({"*", "*"}, channel, "50");
  Give({"*", "*"}, "ch1_11v0", "20");  // a shard of b alone
  const auto resolved = Resolve();
  ASSERT_TRUE(resolved.ok()) << resolved.error().message;
  EXPECT_THAT(resolved->start.adopted, ElementsAre(10, 11, 12));
  EXPECT_EQ(resolved->start.collections.at(10).at("ch1"), (StartPoint{At(50), 0}));
  EXPECT_EQ(resolved->start.collections.at(11).at("ch1"), (StartPoint{At(20), 0}));
  EXPECT_EQ(resolved->start.collections.at(11).at("ch2"), (StartPoint{At(50), 0}));
  EXPECT_EQ(resolved->channels.at("ch1"), At(20));
}

TEST_F(TaskStartTest, ANameGoesBeforeAPattern) {
  Give({"*", "*"}, "ch2", "50");
  Give({"shop", "a"}, "ch2", "60");
  Give({"*", "b"}, "ch1", "50");
  const auto resolved = Resolve();
  ASSERT_TRUE(resolved.ok()) << resolved.error().message;
  EXPECT_EQ(resolved->start.collections.at(12).at("ch2"), (StartPoint{At(60), 0}));
  EXPECT_EQ(resolved->start.collections.at(11).at("ch2"), (StartPoint{At(50), 0}));
}

TEST_F(TaskStartTest, UseStartPositionForThoseWithoutOne) {
  spec_.start_request.from_creation = {{"default", "*"}};
  Give({"default", "a"}, "ch0", "30");
  Give({"default", "a"}, "ch1", "30");
  auto resolved = Resolve();
  ASSERT_TRUE(resolved.ok()) << resolved.error().message;
  EXPECT_THAT(resolved->start.collections,
              ElementsAre(Pair(10, ElementsAre(Pair("ch0", StartPoint{At(30), 0}),
                                               Pair("ch1", StartPoint{At(30), 0}))),
                          Pair(11, ElementsAre(Pair("ch1", StartPoint{At(11), 0}),
                                               Pair("ch2", StartPoint{At(11), 0})))));
  EXPECT_THAT(resolved->start.adopted, ElementsAre(10));
  EXPECT_EQ(resolved->channels.at("ch1"), At(11));
  spec_.adopt = true;
  resolved = Resolve();
  ASSERT_TRUE(resolved.ok());
  EXPECT_THAT(resolved->start.adopted, ElementsAre(10, 11));
}

TEST_F(TaskStartTest, ByTimeAlone) {
  Give({"shop", "a"}, "ch2", "", 900);
  const auto resolved = Resolve();
  ASSERT_TRUE(resolved.ok()) << resolved.error().message;
  EXPECT_EQ(resolved->start.collections.at(12).at("ch2"), (StartPoint{{}, 900}));
  EXPECT_EQ(resolved->channels.at("ch2"), LogPosition());
}

TEST_F(TaskStartTest, OperationsGoOnBehindTheirPosition) {
  spec_.start_request.operations = "40";
  auto resolved = Resolve();
  ASSERT_TRUE(resolved.ok()) << resolved.error().message;
  EXPECT_EQ(resolved->operations, After(40));
  EXPECT_TRUE(resolved->start.empty());
  EXPECT_EQ(resolved->wishes.count("ops"), 1u);
  spec_.start_request.operations = "";
  resolved = Resolve();
  ASSERT_TRUE(resolved.ok());
  EXPECT_EQ(resolved->operations, LogPosition());
}

TEST_F(TaskStartTest, AShardWithoutAPositionIsRefused) {
  Give({"default", "a"}, "ch0_10v0", "30");
  EXPECT_EQ(Refusal(),
            "collection default.a has a position for some of its channels and none for ch1_10v1: "
            "give one for each");
}

TEST_F(TaskStartTest, TwoPositionsForOneShardAreRefused) {
  Give({"default", "*"}, "ch2", "30");
  Give({"*", "b"}, "ch2", "31");
  EXPECT_EQ(Refusal(),
            "collection default.b has two positions for channel ch2; leave one of them out");
}

TEST_F(TaskStartTest, APositionThatIsForNothingIsRefused) {
  Give({"default", "a"}, "ch2_12v0", "30");
  EXPECT_EQ(Refusal(),
            "channel ch2_12v0 has a position, and nothing that the task replicates of default.a is "
            "written to it; those channels are: ch0_10v0, ch1_10v1");
}

TEST_F(TaskStartTest, AnIdOfAnotherLogIsRefused) {
  Give({"shop", "a"}, "ch2", "x");
  EXPECT_EQ(Refusal(),
            "the position of channel ch2 holds no message id of the source's log, as sourceConfig "
            "names it: not an id");
}

TEST_F(TaskStartTest, WhatLiesBehindTheEndIsRefused) {
  Give({"shop", "a"}, "ch2", "103");
  EXPECT_EQ(Refusal(ErrorKind::kPositionGone),
            "collection shop.a begins at message 103 of channel ch2, and the log ends at 102: is "
            "it a position of this source, and was its log made anew since?");
  spec_.start_request.positions.clear();
  spec_.start_request.from_creation = {{"shop", "new"}};
  EXPECT_THAT(Refusal(ErrorKind::kPositionGone), HasSubstr("and the log holds none"));
  spec_.start_request.from_creation.clear();
  spec_.start_request.operations = "51";
  EXPECT_THAT(Refusal(ErrorKind::kPositionGone), HasSubstr("the reading of operations begins at"));
}

TEST_F(TaskStartTest, ACollectionWithoutAStartPositionIsRefused) {
  auto without = std::make_shared<SourceCollection>(*catalog_.collections[2]);
  without->start_positions.clear();
  catalog_.collections[2] = without;
  spec_.start_request.from_creation = {{"shop", "a"}};
  EXPECT_THAT(Refusal(), HasSubstr("collection shop.a has no start position for channel ch2"));
}

// A log that holds everything from 25 on, and began at the time 900.
class HeldTest : public TaskStartTest {
 protected:
  std::string Check() {
    const auto resolved = Resolve();
    if (!resolved.ok()) return "not resolved: " + resolved.error().message;
    LogQuestions log;
    log.held = [this](const std::map<std::string, LogPosition>& places)
        -> Result<std::map<std::string, HeldLog>> {
      asked_.push_back(places.size());
      if (away_) return RetryError("the log is away");
      for (const auto& [channel, place] : places) {
        if (place.id.minor < 25) {
          return PositionGoneError(channel, place, "the log no longer holds it", LogId{0, 25});
        }
      }
      return std::map<std::string, HeldLog>{};
    };
    log.oldest = [](const std::set<std::string>& channels) {
      std::map<std::string, Timestamp> oldest;
      for (const std::string& channel : channels) oldest[channel] = ComposeTimestamp(900);
      return Result<std::map<std::string, Timestamp>>(std::move(oldest));
    };
    const Status status = CheckHeld(*resolved, log);
    if (status.ok()) return "held";
    EXPECT_TRUE(away_ || status.error().kind == ErrorKind::kPositionGone);
    return status.error().message;
  }

  bool away_ = false;
  std::vector<size_t> asked_;
};

TEST_F(HeldTest, NothingIsAskedForTheEnd) {
  EXPECT_EQ(Check(), "held");
  EXPECT_THAT(asked_, IsEmpty());
}

TEST_F(HeldTest, AllThatIsHeldIsAskedForOnce) {
  for (const char* channel : {"ch0", "ch1", "ch2"}) Give({"*", "*"}, channel, "25");
  EXPECT_EQ(Check(), "held");
  EXPECT_THAT(asked_, ElementsAre(3));
}

TEST_F(HeldTest, TheLowestOfAChannelCounts) {
  Give({"default", "b"}, "ch1", "40");
  Give({"default", "b"}, "ch2", "30");
  Give({"shop", "a"}, "ch2", "24");
  EXPECT_EQ(Check(),
            "collection shop.a cannot begin there: channel ch2: cannot read at 24: the log no "
            "longer holds it; the oldest message held is 25. What the log has lost in between "
            "cannot be replicated: copy the collection anew, from a backup say, and begin at the "
            "positions of that copy");
}

TEST_F(HeldTest, AStartPositionThatIsGone) {
  spec_.start_request.from_creation = {{"shop", "a"}};
  EXPECT_THAT(Check(), AllOf(HasSubstr("collection shop.a cannot begin there"),
                             HasSubstr("the oldest message held is 25. Its oldest rows cannot be "
                                       "replicated: leave use_start_position out")));
}

TEST_F(HeldTest, OperationsThatAreGone) {
  spec_.start_request.operations = "3";
  EXPECT_THAT(Check(), HasSubstr("Leave rpc_channel_info.position out"));
}

TEST_F(HeldTest, ByTime) {
  Give({"shop", "a"}, "ch2", "", ComposeTimestamp(900));
  EXPECT_EQ(Check(), "held");
  spec_.start_request.positions.clear();
  Give({"shop", "a"}, "ch2", "", ComposeTimestamp(899));
  EXPECT_THAT(Check(), HasSubstr("the log of channel ch2 begins at 900 ms, after the wanted 899"));
}

TEST_F(HeldTest, ALogThatDoesNotAnswerIsNotTakenForOneThatHoldsAll) {
  away_ = true;
  Give({"shop", "a"}, "ch2", "30");
  EXPECT_EQ(Check(), "the log is away");
}

}  // namespace
}  // namespace cdc
