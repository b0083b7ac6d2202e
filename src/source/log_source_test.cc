#include "source/log_source.h"

#include <gtest/gtest.h>

#include <deque>
#include <optional>

#include "base/wire.h"
#include "client/milvus/message_codec.h"

namespace cdc {
namespace {

// Runs posted callbacks when told to.
class ManualExecutor final : public Executor {
 public:
  void Post(Callback fn) override { ready_.push_back(std::move(fn)); }
  void PostAfter(Duration, Callback fn) override { ready_.push_back(std::move(fn)); }
  const Clock& clock() const override { return clock_; }
  void RunAll() {
    while (!ready_.empty()) {
      const Callback fn = std::move(ready_.front());
      ready_.pop_front();
      fn();
    }
  }

 private:
  SystemClock clock_;
  std::deque<Callback> ready_;
};

struct FakeLog final : RawLog {
  struct Tail final : RawTail {
    explicit Tail(FakeLog* log) : log(log) {}
    ~Tail() override { ++log->closed; }
    void Read(size_t max_bytes, Done done) override {
      log->asked = max_bytes;
      log->read = std::move(done);
    }
    bool HasMore() const override { return log->has_more; }
    FakeLog* log;
  };
  std::unique_ptr<RawTail> Open(const std::string& topic, LogPosition) override {
    opened.push_back(topic);
    return std::make_unique<Tail>(this);
  }
  void Latest(std::vector<std::string>, LatestDone done) override { latest = std::move(done); }
  void Held(std::map<std::string, LogPosition>, HeldDone) override {}
  Result<LogId> DecodeId(const std::string& bytes) const override { return DecodeNumericId(bytes); }
  void Answer(Result<std::vector<RawEntry>> entries) {
    std::exchange(read, nullptr)(std::move(entries));
  }

  std::vector<std::string> opened;
  RawTail::Done read;
  size_t asked = 0;  // bytes of it
  bool has_more = false;
  LatestDone latest;
  int closed = 0;
};

RawEntry Entry(uint64_t id, std::string payload) {
  return {{0, id}, Slice::Own(std::move(payload))};
}
RawEntry Tick(uint64_t id) {
  return Entry(id, EncodeTimeTick(id * 10).Join());
}

class LogSourceTest : public testing::Test {
 protected:
  std::unique_ptr<LogReader> Open() { return source_->Open("chan", {}); }
  void Read(LogReader* reader) {
    result_.reset();
    reader->Read(1000, [this](Result<std::vector<Change>> changes) {
      ++calls_;
      result_ = std::move(changes);
    });
    executor_.RunAll();
  }

  ManualExecutor executor_;
  std::shared_ptr<FakeLog> log_ = std::make_shared<FakeLog>();
  std::unique_ptr<LogSource> source_ = MakeLogSource(log_, &executor_);
  std::optional<Result<std::vector<Change>>> result_;
  int calls_ = 0;
};

TEST_F(LogSourceTest, AMessageMarkedAsStreamingFormatIsCorruptWithItsPosition) {
  const auto reader = Open();
  Read(reader.get());
  RawEntry entry = Tick(7);
  entry.streaming = true;
  log_->Answer(std::vector<RawEntry>{entry});
  executor_.RunAll();
  ASSERT_TRUE(result_ && !result_->ok());
  EXPECT_EQ(result_->error().disposition, Disposition::kCorrupt);
  EXPECT_NE(result_->error().message.find("message 7"), std::string::npos);
  EXPECT_NE(result_->error().message.find("2.6"), std::string::npos);
}

TEST_F(LogSourceTest, DeliversDecodedChangesOnTheExecutor) {
  const auto reader = Open();
  EXPECT_EQ(log_->opened, std::vector<std::string>{"chan"});
  Read(reader.get());
  log_->Answer(std::vector<RawEntry>{Tick(1), Tick(2)});
  EXPECT_EQ(calls_, 0);
  executor_.RunAll();
  ASSERT_EQ(calls_, 1);
  ASSERT_TRUE(result_->ok());
  ASSERT_EQ((*result_)->size(), 2U);
  EXPECT_EQ((**result_)[1].kind, ChangeKind::kTimeTick);
  EXPECT_EQ((**result_)[1].ts, 20U);
  EXPECT_EQ((**result_)[1].id.minor, 2U);
}

TEST_F(LogSourceTest, ACorruptMessageComesAfterTheGoodOnesAndStays) {
  const auto reader = Open();
  Read(reader.get());
  log_->Answer(std::vector<RawEntry>{Tick(1), Entry(2, "\x0a\xff"), Tick(3)});
  executor_.RunAll();
  ASSERT_TRUE(result_->ok());
  EXPECT_EQ((*result_)->size(), 1U);
  for (int i = 0; i < 2; ++i) {
    Read(reader.get());
    EXPECT_FALSE(log_->read) << "read on behind a corrupt message";
    executor_.RunAll();
    ASSERT_FALSE(result_->ok());
    EXPECT_EQ(result_->error().disposition, Disposition::kCorrupt);
    EXPECT_NE(result_->error().message.find("channel chan: message 2 "), std::string::npos);
  }
  EXPECT_EQ(calls_, 3);
}

TEST_F(LogSourceTest, ErrorsOfTheLogPassAndAreNotKept) {
  const auto reader = Open();
  Read(reader.get());
  log_->Answer(RetryError("away"));
  executor_.RunAll();
  ASSERT_FALSE(result_->ok());
  EXPECT_EQ(result_->error().message, "away");
  Read(reader.get());
  log_->Answer(std::vector<RawEntry>{Tick(1)});
  executor_.RunAll();
  EXPECT_TRUE(result_->ok());
}

TEST_F(LogSourceTest, ADestroyedReaderNeverCallsBack) {
  auto reader = Open();
  Read(reader.get());
  const RawTail::Done late = log_->read;
  log_->Answer(std::vector<RawEntry>{Tick(1)});  // on its way to the executor
  reader.reset();
  EXPECT_EQ(log_->closed, 1);
  late(std::vector<RawEntry>{Tick(2)});  // from the log's thread, at the same moment
  executor_.RunAll();
  EXPECT_EQ(calls_, 0);
}

TEST_F(LogSourceTest, ReadsOnWhileTheExecutorIsBusy) {
  const auto reader = Open();
  Read(reader.get());
  log_->Answer(std::vector<RawEntry>{Tick(1)});
  ASSERT_TRUE(log_->read) << "the log is idle though the executor has not taken the first read";
  log_->Answer(std::vector<RawEntry>{Tick(2)});
  executor_.RunAll();
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ((*result_)->size(), 2U) << "all that lay ready comes at once";
}

TEST_F(LogSourceTest, TheExecutorIsWokenUpForAsMuchAsItWantsIfThatIsAtHand) {
  const auto reader = Open();
  Read(reader.get());
  WireWriter unknown;
  unknown.Bytes(15, std::string(500, 'x'));
  const std::string half = EncodeTimeTick(10).Join() + unknown.Take();  // more than a piece
  log_->has_more = true;
  log_->Answer(std::vector<RawEntry>{Entry(1, half)});
  executor_.RunAll();
  EXPECT_EQ(calls_, 0);
  log_->Answer(std::vector<RawEntry>{Entry(2, half)});
  executor_.RunAll();
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ((*result_)->size(), 1U);
  Read(reader.get());
  ASSERT_EQ(calls_, 2) << "the second one lay ready";
  EXPECT_EQ((*result_)->at(0).id.minor, 2U);
  // What it waits for is not held back by an error.
  Read(reader.get());
  log_->Answer(std::vector<RawEntry>{Entry(3, half)});
  log_->Answer(RetryError("away"));
  executor_.RunAll();
  ASSERT_EQ(calls_, 3);
  EXPECT_EQ((*result_)->size(), 1U);
}

TEST_F(LogSourceTest, WhatLiesReadyIsBounded) {
  const auto reader = Open();
  Read(reader.get());  // 1,000 bytes
  int reads = 0;
  for (uint64_t id = 1; log_->read && id < 100; ++id, ++reads) {
    WireWriter unknown;
    unknown.Bytes(15, std::string(200, 'x'));
    log_->Answer(std::vector<RawEntry>{Entry(id, EncodeTimeTick(id).Join() + unknown.Take())});
  }
  EXPECT_EQ(log_->asked, 375u);
  EXPECT_GE(reads, 4);  // each of some 300 bytes as it is held, until three times 375 are there
  EXPECT_LE(reads, 5);
}

TEST_F(LogSourceTest, WhoWantsOneByteGetsAMessage) {
  const auto reader = Open();
  reader->Read(1, [](Result<std::vector<Change>>) {});
  executor_.RunAll();
  EXPECT_EQ(log_->asked, 1u);
}

TEST_F(LogSourceTest, AnErrorComesAfterWhatWasReadBeforeItAndReadingWaits) {
  const auto reader = Open();
  Read(reader.get());
  log_->Answer(std::vector<RawEntry>{Tick(1)});
  log_->Answer(RetryError("away"));
  EXPECT_FALSE(log_->read);
  executor_.RunAll();
  ASSERT_TRUE(result_ && result_->ok());
  Read(reader.get());
  ASSERT_EQ(calls_, 2);
  EXPECT_EQ(result_->error().message, "away");
  EXPECT_FALSE(log_->read) << "tried again before its user said so";
  Read(reader.get());
  EXPECT_TRUE(log_->read);
}

// Every tail has messages without end, except for those of a topic that does not answer.
struct EndlessLog final : RawLog {
  struct Tail final : RawTail {
    Tail(EndlessLog* log, std::string topic) : log(log), topic(std::move(topic)) {
      log->tails.push_back(this);
    }
    ~Tail() override { std::erase(log->tails, this); }
    void Read(size_t max_bytes, Done read) override {
      asked = max_bytes;
      done = std::move(read);
    }
    EndlessLog* log;
    const std::string topic;
    size_t asked = 0;
    uint64_t id = 0;
    Done done;
  };
  std::unique_ptr<RawTail> Open(const std::string& topic, LogPosition) override {
    return std::make_unique<Tail>(this, topic);
  }
  void Latest(std::vector<std::string>, LatestDone) override {}
  void Held(std::map<std::string, LogPosition>, HeldDone) override {}
  Result<LogId> DecodeId(const std::string& bytes) const override { return DecodeNumericId(bytes); }

  // Until no tail wants more.
  void AnswerAll() {
    for (bool any = true; any;) {
      any = false;
      for (Tail* tail : tails) {
        if (!tail->done || tail->topic == "stalled") continue;
        WireWriter unknown;
        unknown.Bytes(15, std::string(tail->asked, 'x'));
        const uint64_t id = ++tail->id;
        std::exchange(tail->done, nullptr)(
            std::vector<RawEntry>{Entry(id, EncodeTimeTick(id).Join() + unknown.Take())});
        any = true;
      }
    }
  }
  std::vector<Tail*> tails;
};

struct ManyReaders {
  static constexpr size_t kRead = 1000;  // with what is around it, half of it twice is 1.5 of it
  ManyReaders(size_t count, size_t budget_bytes)
      : budget(std::make_shared<ReadBudget>(budget_bytes)),
        source(MakeLogSource(log, &executor, budget)) {
    for (size_t i = 0; i < count; ++i) readers.push_back(source->Open("topic", {}));
  }
  // One Read of each reader but the first `but`, to its end.
  void ReadAll(size_t but) {
    for (size_t i = but; i < readers.size(); ++i) {
      readers[i]->Read(kRead, [this](Result<std::vector<Change>> changes) {
        ASSERT_TRUE(changes.ok());
        ++delivered;
      });
    }
    executor.RunAll();
    log->AnswerAll();
    executor.RunAll();
    log->AnswerAll();
  }

  ManualExecutor executor;
  std::shared_ptr<EndlessLog> log = std::make_shared<EndlessLog>();
  std::shared_ptr<ReadBudget> budget;
  std::unique_ptr<LogSource> source;
  std::vector<std::unique_ptr<LogReader>> readers;
  size_t delivered = 0;
};

TEST(ReadBudgetTest, HoweverManyReadersAreBehindTheyStayWithinTheBudgetButForOneReadEach) {
  ManyReaders many(64, 4 * ManyReaders::kRead);
  many.ReadAll(0);
  EXPECT_EQ(many.delivered, 64u);
  EXPECT_GT(many.budget->used(), 4 * ManyReaders::kRead) << "nothing is read ahead";
  EXPECT_LE(many.budget->used(), 4 * ManyReaders::kRead + 64 * (ManyReaders::kRead / 2 + 200));
}

TEST(ReadBudgetTest, WithRoomEachReaderHasAWholeReadAhead) {
  ManyReaders many(4, 100 * ManyReaders::kRead);
  many.ReadAll(0);
  EXPECT_GE(many.budget->used(), 4 * ManyReaders::kRead);
}

TEST(ReadBudgetTest, ReadersThatAreNotTakenFromDoNotHoldUpTheOthers) {
  ManyReaders many(8, 0);
  many.ReadAll(0);
  const size_t full = many.budget->used();
  for (int i = 0; i < 100; ++i) many.ReadAll(4);
  EXPECT_EQ(many.delivered, 8 + 4 * 100u);
  EXPECT_EQ(many.budget->used(), full);
}

TEST(ReadBudgetTest, ATopicThatDoesNotAnswerDoesNotHoldUpTheOthers) {
  ManyReaders many(4, ManyReaders::kRead);
  many.readers[0] = many.source->Open("stalled", {});
  for (int i = 0; i < 100; ++i) many.ReadAll(i == 0 ? 0 : 1);
  EXPECT_EQ(many.delivered, 3 * 100u);
}

TEST(ReadBudgetTest, ReadersThatEndGiveItBack) {
  ManyReaders many(8, 3 * ManyReaders::kRead);
  many.ReadAll(0);
  many.readers.clear();
  EXPECT_EQ(many.budget->used(), 0u);
}

TEST_F(LogSourceTest, AsksForTheLatestPositions) {
  std::optional<Result<std::map<std::string, LogPosition>>> latest;
  source_->Latest({"a"}, [&](auto result) { latest = std::move(result); });
  log_->latest(std::map<std::string, LogPosition>{{"a", {LogPosition::Kind::kAfter, {0, 7}}}});
  EXPECT_FALSE(latest);
  executor_.RunAll();
  ASSERT_TRUE(latest && latest->ok());
  EXPECT_EQ((*latest)->at("a").id.minor, 7U);
}

TEST_F(LogSourceTest, OperationsAreReadOnEvenWhenOneIsUnreadable) {
  const auto operations = MakeOperationSource(log_, "c-replicate-msg", &executor_);
  const auto reader = operations->Open({});
  EXPECT_EQ(log_->opened, std::vector<std::string>{"c-replicate-msg"});
  std::vector<Operation> got;
  reader->Read([&](Result<std::vector<Operation>> result) {
    ASSERT_TRUE(result.ok());
    got = *result;
  });
  executor_.RunAll();
  WireWriter base;
  base.Varint(1, 402);
  WireWriter flush;
  flush.Bytes(1, base.str());
  flush.Bytes(2, "db");
  flush.Bytes(3, "coll");
  log_->Answer(std::vector<RawEntry>{Entry(1, "garbage"), Entry(2, flush.Take())});
  executor_.RunAll();
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[0].msg_type, 0);
  EXPECT_FALSE(got[0].is_flush);
  EXPECT_TRUE(got[1].is_flush);
  EXPECT_EQ(got[1].database, "db");
  EXPECT_EQ(got[1].collections, std::vector<std::string>{"coll"});
}

}  // namespace
}  // namespace cdc
