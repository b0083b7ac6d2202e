#include "client/pulsar/pulsar_cursor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

namespace cdc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kMegabyte = 1 << 20;

class ManualClock final : public Clock {
 public:
  TimePoint Now() const override { return now_; }
  int64_t WallMillis() const override { return 0; }
  void Advance(Duration time) { now_ += time; }

 private:
  TimePoint now_{seconds(1000)};
};

// A topic of one broker: what it holds, and the id of the newest message, which it remembers.
struct FakeTopic {
  std::map<LogId, PulsarMessage> held;
  std::optional<LogId> newest;
  bool connected = true;
  bool answers = true;
  bool silent = false;  // sends nothing
  LogId expired_to;
  int expiries = 0;
  std::function<void(const LogId&)> on_next;  // a reader is asked, whose next message is this one
  int expiring_opens = 0;   // this many of the next readers are moved before they read anything
  std::vector<int> queues;  // of the readers opened
  ManualClock clock;

  void Write(LogId id, const std::string& payload = "x", bool in_batch = false) {
    PulsarMessage message;
    message.id = id;
    message.payload = Slice::Own(payload);
    message.in_batch = in_batch;
    held[id] = message;
    newest = id;
  }
  // Moves every reader that is further back to `next`, as the expiry of messages does.
  void Expire(LogId next) {
    expired_to = next;
    ++expiries;
  }
  void DeleteUpTo(uint64_t ledger) { held.erase(held.begin(), held.lower_bound({ledger + 1, 0})); }
};

Error Unreachable() {
  return RetryError("no connection", ErrorKind::kUnavailable);
}

class FakeReader final : public PulsarReader {
 public:
  FakeReader(FakeTopic* topic, LogId next)
      : topic_(topic), next_(next), expiries_(topic->expiries) {
    if (topic_->expiring_opens > 0) {
      --topic_->expiring_opens;
      --expiries_;
    }
  }
  Result<std::optional<PulsarMessage>> Next(milliseconds wait) override {
    if (topic_->on_next) topic_->on_next(next_);
    if (std::exchange(expiries_, topic_->expiries) != topic_->expiries) {
      next_ = std::max(next_, topic_->expired_to);
    }
    const auto found = topic_->held.lower_bound(next_);
    if (found == topic_->held.end() || !topic_->connected || topic_->silent) {
      topic_->clock.Advance(wait);
      return std::optional<PulsarMessage>();
    }
    next_ = {found->first.major, found->first.minor + 1};
    return std::optional<PulsarMessage>(found->second);
  }
  bool Connected() override { return topic_->connected; }
  Result<std::optional<LogId>> Newest() override {
    if (!topic_->answers) return Unreachable();
    return topic_->newest;
  }

 private:
  FakeTopic* const topic_;
  LogId next_;
  int expiries_;  // of the topic when this reader last looked
};

class FakeConnection final : public PulsarConnection {
 public:
  explicit FakeConnection(FakeTopic* topic) : topic_(topic) {}
  Result<std::unique_ptr<PulsarReader>> Open(const std::string&, std::optional<LogId> first,
                                             int queue) override {
    if (!topic_->connected) return Unreachable();
    topic_->queues.push_back(queue);
    return std::unique_ptr<PulsarReader>(
        std::make_unique<FakeReader>(topic_, first.value_or(LogId{})));
  }
  const std::string& name() const override { return name_; }
  void Shutdown() override {}

 private:
  FakeTopic* const topic_;
  const std::string name_ = "Pulsar at pulsar://broker:6650";
};

LogPosition At(LogId id) {
  return {LogPosition::Kind::kAt, id};
}
LogPosition After(LogId id) {
  return {LogPosition::Kind::kAfter, id};
}

class PulsarCursorTest : public testing::Test {
 protected:
  PulsarCursor Cursor(LogPosition from) { return {&connection_, &topic_.clock, "dml_1", from}; }
  // Steps until something comes, an error or `time` has passed.
  Result<std::vector<LogId>> Read(PulsarCursor* cursor, size_t max_bytes = kMegabyte,
                                  Duration time = seconds(1)) {
    const TimePoint end = topic_.clock.Now() + time;
    while (true) {
      const auto entries = cursor->Step(max_bytes);
      if (!entries.ok()) return entries.error();
      std::vector<LogId> ids;
      for (const RawEntry& entry : *entries) ids.push_back(entry.id);
      if (!ids.empty() || topic_.clock.Now() >= end) return ids;
    }
  }
  std::vector<LogId> MustRead(PulsarCursor* cursor, size_t max_bytes = kMegabyte) {
    const auto ids = Read(cursor, max_bytes);
    EXPECT_TRUE(ids.ok()) << ids.error().message;
    return ids.ok() ? *ids : std::vector<LogId>{};
  }
  std::string GoneMessage(PulsarCursor* cursor, Duration time = seconds(1)) {
    const auto ids = Read(cursor, kMegabyte, time);
    if (ids.ok()) return "no error";
    EXPECT_EQ(ids.error().kind, ErrorKind::kPositionGone) << ids.error().message;
    return ids.error().message;
  }

  using Ids = std::vector<LogId>;
  FakeTopic topic_;
  FakeConnection connection_{&topic_};
};

TEST_F(PulsarCursorTest, ReadsFromEarliestAtAndAfter) {
  for (uint64_t i = 0; i < 3; ++i) topic_.Write({5, i});
  auto earliest = Cursor({});
  auto at = Cursor(At({5, 1}));
  auto after = Cursor(After({5, 1}));
  EXPECT_EQ(MustRead(&earliest), (Ids{{5, 0}, {5, 1}, {5, 2}}));
  EXPECT_EQ(MustRead(&at), (Ids{{5, 1}, {5, 2}}));
  EXPECT_EQ(MustRead(&after), (Ids{{5, 2}}));
  topic_.Write({5, 3});
  EXPECT_EQ(MustRead(&after), (Ids{{5, 3}}));
}

TEST_F(PulsarCursorTest, CutsReadsAndDeliversOversizedEntriesAlone) {
  for (uint64_t i = 0; i < 5; ++i) topic_.Write({5, i}, std::string(i == 2 ? 500 : 40, 'x'));
  auto cursor = Cursor({});
  for (const size_t expected : {2, 1, 2}) EXPECT_EQ(MustRead(&cursor, 100).size(), expected);
}

TEST_F(PulsarCursorTest, AStartThatIsGoneIsAnErrorWithTheOldestHeld) {
  for (uint64_t ledger = 5; ledger < 8; ++ledger) topic_.Write({ledger, 0});
  topic_.DeleteUpTo(5);
  for (const LogPosition& from : {At({5, 0}), After({5, 0})}) {
    auto cursor = Cursor(from);
    for (int i = 0; i < 2; ++i) {  // and stays so
      EXPECT_EQ(GoneMessage(&cursor), "channel dml_1: cannot read " + ToString(from) +
                                          ": the log no longer holds it; the oldest message held "
                                          "is 6:0");
    }
  }
}

TEST_F(PulsarCursorTest, AJumpOverDeletedLedgersIsNoticed) {
  for (uint64_t i = 0; i < 3; ++i) topic_.Write({5, i});
  auto cursor = Cursor({});
  EXPECT_EQ(MustRead(&cursor, 2), (Ids{{5, 0}, {5, 1}}));
  for (uint64_t ledger = 6; ledger < 9; ++ledger) topic_.Write({ledger, 0});
  topic_.DeleteUpTo(6);
  EXPECT_THAT(GoneMessage(&cursor), testing::HasSubstr("cannot read after 5:1"));
  EXPECT_THAT(GoneMessage(&cursor), testing::HasSubstr("is 7:0"));
}

TEST_F(PulsarCursorTest, WhatTheBrokerPassedOverAndStillHasIsRead) {
  for (const uint64_t ledger : {5, 6, 7}) {
    for (uint64_t i = 0; i < 4; ++i) topic_.Write({ledger, i});
  }
  for (const LogId& to : {LogId{5, 3}, LogId{6, 0}, LogId{7, 2}}) {
    auto cursor = Cursor({});
    EXPECT_EQ(MustRead(&cursor, 2), (Ids{{5, 0}, {5, 1}}));
    topic_.Expire(to);
    EXPECT_EQ(MustRead(&cursor, 3), (Ids{{5, 2}, {5, 3}, {6, 0}})) << ToString(to);
    EXPECT_EQ(MustRead(&cursor), (Ids{{6, 1}, {6, 2}, {6, 3}, {7, 0}, {7, 1}, {7, 2}, {7, 3}}));
  }
}

TEST_F(PulsarCursorTest, WhatIsPassedOverInTheMiddleOfAReadIsRead) {
  for (uint64_t i = 0; i < 6; ++i) topic_.Write({5, i});
  topic_.on_next = [this](const LogId& next) {
    if (next == LogId{5, 2}) topic_.Expire({5, 4});
    if (next == LogId{5, 2}) topic_.on_next = nullptr;
  };
  auto cursor = Cursor(After({5, 0}));
  EXPECT_EQ(MustRead(&cursor), (Ids{{5, 1}}));
  EXPECT_EQ(MustRead(&cursor), (Ids{{5, 2}, {5, 3}, {5, 4}, {5, 5}}));
}

TEST_F(PulsarCursorTest, ANewReaderThatIsMovedAtOnceIsNotBelieved) {
  for (uint64_t i = 0; i < 6; ++i) topic_.Write({5, i});
  for (const uint64_t to : {1, 4}) {
    topic_.Expire({5, to});
    for (const LogPosition& from : {LogPosition{}, At({5, 0}), After({5, 0})}) {
      for (const int moved : {1, 2}) {  // the reader, and the one that is asked then
        if (from.kind == LogPosition::Kind::kEarliest && moved == 2) continue;  // nobody could know
        topic_.expiring_opens = moved;
        auto cursor = Cursor(from);
        const uint64_t first = from.kind == LogPosition::Kind::kAfter ? 1 : 0;
        const Ids ids = MustRead(&cursor);
        ASSERT_EQ(ids.size(), 6 - first) << ToString(from) << moved;
        EXPECT_EQ(ids.front(), (LogId{5, first}));
      }
    }
  }
}

TEST_F(PulsarCursorTest, TheEndThatExcusedOneMessageDoesNotExcuseTheNext) {
  topic_.Write({5, 0});
  auto cursor = Cursor({});
  EXPECT_EQ(MustRead(&cursor), (Ids{{5, 0}}));
  EXPECT_EQ(MustRead(&cursor), Ids{});  // this is the end
  topic_.DeleteUpTo(5);
  topic_.Write({6, 0});
  EXPECT_EQ(MustRead(&cursor), (Ids{{6, 0}}));
  for (const uint64_t ledger : {7, 8}) topic_.Write({ledger, 0});
  topic_.DeleteUpTo(7);
  EXPECT_THAT(GoneMessage(&cursor), testing::HasSubstr("the oldest message held is 8:0"));
}

TEST_F(PulsarCursorTest, ABrokerThatPassesOverThemAgainIsAnErrorThatPasses) {
  for (uint64_t i = 0; i < 6; ++i) topic_.Write({5, i});
  auto cursor = Cursor({});
  EXPECT_EQ(MustRead(&cursor, 2), (Ids{{5, 0}, {5, 1}}));
  int moved = 0;
  topic_.on_next = [&](const LogId& next) {
    // The reader is moved, the one that is asked is not, and so on.
    if (next == LogId{5, 2} && moved++ % 2 == 0) topic_.Expire({5, 4});
  };
  const auto error = Read(&cursor);
  ASSERT_FALSE(error.ok());
  EXPECT_TRUE(error.error().IsRetry());
  EXPECT_THAT(error.error().message, testing::HasSubstr("sent 5:4 though it has 5:2 before it"));
  topic_.on_next = nullptr;
  EXPECT_EQ(MustRead(&cursor), (Ids{{5, 2}, {5, 3}, {5, 4}, {5, 5}}));
}

TEST_F(PulsarCursorTest, NumbersThatNoMessageHasAreNoJump) {
  for (const uint64_t entry : {0, 1, 4, 5})
    topic_.Write({5, entry});  // the broker wrote the others
  topic_.Write({6, 2});
  auto cursor = Cursor({});
  EXPECT_EQ(MustRead(&cursor), (Ids{{5, 0}, {5, 1}, {5, 4}, {5, 5}, {6, 2}}));
}

TEST_F(PulsarCursorTest, WhatIsPassedOverAndDeletedIsGone) {
  for (const uint64_t ledger : {5, 6, 7}) {
    for (uint64_t i = 0; i < 4; ++i) topic_.Write({ledger, i});
  }
  auto cursor = Cursor({});
  EXPECT_EQ(MustRead(&cursor, 2), (Ids{{5, 0}, {5, 1}}));
  topic_.Expire({7, 2});
  topic_.DeleteUpTo(5);
  EXPECT_THAT(GoneMessage(&cursor), testing::HasSubstr("the oldest message held is 6:0"));
}

TEST_F(PulsarCursorTest, ABrokerThatComesBackAfterABacklogIsReadOn) {
  for (uint64_t i = 0; i < 1000; ++i) topic_.Write({5, i});
  auto cursor = Cursor({});
  for (size_t read = 0; read < 1000;) read += MustRead(&cursor, 64).size();
  EXPECT_EQ(cursor.queue(), 1000);
  topic_.connected = false;
  EXPECT_FALSE(Read(&cursor, kMegabyte, seconds(20)).ok());
  topic_.connected = true;
  EXPECT_EQ(MustRead(&cursor), Ids{});  // at its end, which is where the queue is cut
  topic_.Write({5, 1000});
  EXPECT_EQ(MustRead(&cursor), (Ids{{5, 1000}}));
}

TEST_F(PulsarCursorTest, WhatWasReadBeforeAJumpIsDelivered) {
  for (uint64_t i = 0; i < 3; ++i) topic_.Write({5, i});
  auto cursor = Cursor({});
  EXPECT_EQ(MustRead(&cursor, 1), (Ids{{5, 0}}));
  topic_.held.erase({5, 2});
  topic_.Write({6, 0});
  topic_.Write({7, 0});
  // 5:1 is taken, then 6:0 comes; its check must not lose 5:1.
  EXPECT_EQ(MustRead(&cursor), (Ids{{5, 1}, {6, 0}, {7, 0}}));
}

TEST_F(PulsarCursorTest, ANewLedgerIsNoGapWhileTheLastMessageIsHeld) {
  topic_.Write({5, 0});
  auto cursor = Cursor({});
  EXPECT_EQ(MustRead(&cursor), (Ids{{5, 0}}));
  topic_.Write({8, 0});
  topic_.Write({9, 0});
  EXPECT_EQ(MustRead(&cursor), (Ids{{8, 0}, {9, 0}}));
}

TEST_F(PulsarCursorTest, AfterTheEndNothingIsLostThoughTheLastMessageIsDeleted) {
  topic_.Write({5, 0});
  auto cursor = Cursor({});
  EXPECT_EQ(MustRead(&cursor), (Ids{{5, 0}}));
  EXPECT_EQ(MustRead(&cursor), Ids{});  // the end
  topic_.Write({6, 0});
  topic_.DeleteUpTo(5);
  EXPECT_EQ(MustRead(&cursor), (Ids{{6, 0}}));
}

TEST_F(PulsarCursorTest, TheEndLongAgoProvesNothing) {
  topic_.Write({5, 0});
  auto cursor = Cursor({});
  EXPECT_EQ(MustRead(&cursor), (Ids{{5, 0}}));
  EXPECT_EQ(MustRead(&cursor), Ids{});
  topic_.clock.Advance(seconds(11));  // nobody read
  topic_.Write({6, 0});
  topic_.Write({7, 0});
  topic_.DeleteUpTo(6);
  EXPECT_THAT(GoneMessage(&cursor), testing::HasSubstr("is 7:0"));
}

TEST_F(PulsarCursorTest, TheEndBeforeTheLastMessageProvesNothing) {
  topic_.Write({5, 0});
  auto cursor = Cursor({});
  EXPECT_EQ(MustRead(&cursor), (Ids{{5, 0}}));
  EXPECT_EQ(MustRead(&cursor), Ids{});
  topic_.Write({5, 1});
  EXPECT_EQ(MustRead(&cursor), (Ids{{5, 1}}));
  topic_.Write({6, 0});
  topic_.Write({7, 0});
  topic_.DeleteUpTo(6);
  EXPECT_THAT(GoneMessage(&cursor), testing::HasSubstr("is 7:0"));
}

TEST_F(PulsarCursorTest, ReadsOnBehindADeletedPlaceThatWasTheEnd) {
  topic_.Write({5, 7});
  topic_.DeleteUpTo(5);
  auto after = Cursor(After({5, 7}));
  EXPECT_EQ(MustRead(&after), Ids{});
  topic_.Write({6, 0});
  EXPECT_EQ(MustRead(&after), (Ids{{6, 0}}));
  auto late = Cursor(After({5, 7}));
  EXPECT_THAT(GoneMessage(&late), testing::HasSubstr("no longer holds it"));
}

TEST_F(PulsarCursorTest, AnEmptyTopicIsWaitedFor) {
  auto cursor = Cursor(After({5, 7}));
  EXPECT_EQ(MustRead(&cursor), Ids{});
  topic_.Write({6, 0});
  EXPECT_EQ(MustRead(&cursor), (Ids{{6, 0}}));
}

TEST_F(PulsarCursorTest, APlaceBehindTheEndIsGoneAfterAWhile) {
  topic_.Write({5, 7});
  auto cursor = Cursor(After({5, 9}));
  EXPECT_EQ(MustRead(&cursor), Ids{});
  EXPECT_THAT(GoneMessage(&cursor, seconds(20)), testing::HasSubstr("ends before it, at 5:7"));
}

TEST_F(PulsarCursorTest, NothingIsDeliveredTwice) {
  for (uint64_t i = 0; i < 4; ++i) topic_.Write({5, i});
  auto cursor = Cursor({});
  EXPECT_EQ(MustRead(&cursor).size(), 4u);
  topic_.connected = false;
  auto error = Read(&cursor, kMegabyte, seconds(20));
  ASSERT_FALSE(error.ok());  // visible after a while
  EXPECT_TRUE(error.error().IsRetry());
  topic_.connected = true;
  topic_.Write({5, 4});
  EXPECT_EQ(MustRead(&cursor), (Ids{{5, 4}}));
}

TEST_F(PulsarCursorTest, ADeadConnectionThatLooksAliveIsAnError) {
  topic_.Write({5, 0});
  auto cursor = Cursor({});
  EXPECT_EQ(MustRead(&cursor).size(), 1u);
  topic_.answers = false;
  const auto error = Read(&cursor, kMegabyte, seconds(20));
  ASSERT_FALSE(error.ok());
  EXPECT_EQ(error.error().kind, ErrorKind::kUnavailable);
}

TEST_F(PulsarCursorTest, ABrokerThatSendsNothingIsAnError) {
  topic_.Write({5, 0});
  auto cursor = Cursor(At({5, 0}));
  topic_.silent = true;
  const auto error = Read(&cursor, kMegabyte, seconds(30));
  ASSERT_FALSE(error.ok());
  EXPECT_THAT(error.error().message, testing::HasSubstr("nothing comes"));
  EXPECT_THAT(error.error().message, testing::HasSubstr("Pulsar at pulsar://broker:6650: topic "));
  topic_.silent = false;
  EXPECT_EQ(MustRead(&cursor), (Ids{{5, 0}}));
}

TEST_F(PulsarCursorTest, MessagesInBatchesAreMarked) {
  topic_.Write({5, 0}, "x", true);
  auto cursor = Cursor({});
  const auto entries = cursor.Step(kMegabyte);
  ASSERT_TRUE(entries.ok());
  EXPECT_TRUE(entries->front().streaming);
}

TEST_F(PulsarCursorTest, TheQueueFollowsTheSizes) {
  uint64_t next = 0;
  const auto write = [&](int count, size_t bytes) {
    for (int i = 0; i < count; ++i) topic_.Write({5, next++}, std::string(bytes, 'x'));
  };
  write(1000, 100);
  auto cursor = Cursor({});
  EXPECT_EQ(cursor.queue(), 16);
  for (size_t read = 0; read < 1000;) read += MustRead(&cursor, 6400).size();
  EXPECT_EQ(cursor.queue(), 1000);
  write(50, kMegabyte);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(MustRead(&cursor, kMegabyte).size(), 1u);
  EXPECT_LE(cursor.queue(), 16);
  EXPECT_GE(cursor.queue(), 4);
  EXPECT_LT(topic_.queues.size(), 9u);  // readers: few
}

TEST_F(PulsarCursorTest, TheQueueIsSmallAgainWhenLittleComes) {
  for (uint64_t i = 0; i < 1000; ++i) topic_.Write({5, i});
  auto cursor = Cursor({});
  for (size_t read = 0; read < 1000;) read += MustRead(&cursor, 64).size();
  EXPECT_EQ(cursor.queue(), 1000);
  const auto nothing = Read(&cursor, kMegabyte, seconds(20));
  EXPECT_TRUE(nothing.ok() && nothing->empty());
  EXPECT_EQ(cursor.queue(), 16);
}

}  // namespace
}  // namespace cdc
