#include "source/shared_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <mutex>
#include <random>
#include <thread>

#include "base/thread_executor.h"

namespace cdc {
namespace {

using Kind = LogPosition::Kind;
using Entries = std::vector<RawEntry>;

// A log of one topic in memory: entries 1, 2, 3, ... of one byte.
class FakeLog final : public RawLog {
 public:
  class Tail final : public RawTail {
   public:
    Tail(FakeLog* log, LogPosition place) : log_(log), place_(place) {
      const std::lock_guard lock(log_->mutex_);
      log_->tails_.push_back(this);
      ++log_->opened_;
    }
    ~Tail() override {
      const std::lock_guard lock(log_->mutex_);
      std::erase(log_->tails_, this);
    }
    void Read(size_t max_bytes, Done done) override {
      const std::lock_guard lock(log_->mutex_);
      max_bytes_ = max_bytes;
      done_ = std::move(done);
      log_->Answer(this);
    }
    bool HasMore() const override {
      const std::lock_guard lock(log_->mutex_);
      return place_.id.minor < log_->newest_;
    }
    FakeLog* const log_;
    LogPosition place_;
    size_t max_bytes_ = 0;
    Done done_;
  };

  std::unique_ptr<RawTail> Open(const std::string&, LogPosition from) override {
    return std::make_unique<Tail>(this, from);
  }
  void Latest(std::vector<std::string>, LatestDone) override {}
  void Held(std::map<std::string, LogPosition>, HeldDone) override {}
  Result<LogId> DecodeId(const std::string&) const override { return LogId{}; }

  void Append(uint64_t count) {
    const std::lock_guard lock(mutex_);
    newest_ += count;
    for (Tail* tail : tails_) Answer(tail);
  }
  void Fail(const Error& error) {
    const std::lock_guard lock(mutex_);
    error_ = error;
    for (Tail* tail : tails_) Answer(tail);
    error_.reset();
  }
  size_t open() {
    const std::lock_guard lock(mutex_);
    return tails_.size();
  }
  size_t opened() {
    const std::lock_guard lock(mutex_);
    return opened_;
  }
  // Nothing is read from the log while it is held.
  void Hold(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    for (Tail* tail : tails_) Answer(tail);
  }

 private:
  void Answer(Tail* tail) {
    if (!tail->done_ || held_) return;
    if (error_) {
      thread_.Post([done = std::exchange(tail->done_, nullptr), error = *error_] { done(error); });
      return;
    }
    const uint64_t next = tail->place_.kind == Kind::kEarliest ? 1
                          : tail->place_.kind == Kind::kAt     ? tail->place_.id.minor
                                                               : tail->place_.id.minor + 1;
    if (next > newest_) return;
    auto entries = std::make_shared<Entries>();
    for (uint64_t id = next; id <= newest_ && entries->size() < tail->max_bytes_; ++id) {
      entries->push_back({{0, id}, Slice::Own("x")});
    }
    tail->place_ = {Kind::kAfter, entries->back().id};
    thread_.Post([done = std::exchange(tail->done_, nullptr), entries] { done(*entries); });
  }

  std::mutex mutex_;
  std::vector<Tail*> tails_;
  std::optional<Error> error_;
  uint64_t newest_ = 0;
  size_t opened_ = 0;
  bool held_ = false;
  ThreadExecutor thread_{"fake-log"};
};

// One reader, which checks that it misses nothing and gets nothing twice.
class Reader {
 public:
  Reader(RawLog* log, LogPosition from)
      : tail_(log->Open("topic", from)),
        next_(from.kind == Kind::kAfter ? from.id.minor + 1
              : from.kind == Kind::kAt  ? from.id.minor
                                        : 1) {}
  void Start(size_t max_bytes = 100) {
    promise_ = std::make_shared<std::promise<Result<Entries>>>();
    future_ = promise_->get_future();
    tail_->Read(max_bytes,
                [promise = promise_](Result<Entries> entries) { promise->set_value(entries); });
  }
  bool ready() const {
    return future_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  Result<Entries> Take() {
    Result<Entries> entries = future_.get();
    if (!entries.ok()) return entries;
    EXPECT_FALSE(entries->empty());
    for (const RawEntry& entry : *entries) EXPECT_EQ(entry.id.minor, next_++);
    return entries;
  }
  void ReadTo(uint64_t last, size_t max_bytes = 100) {
    while (next_ <= last) {
      Start(max_bytes);
      ASSERT_TRUE(Take().ok());
    }
  }
  uint64_t next() const { return next_; }
  bool has_more() const { return tail_->HasMore(); }

 private:
  std::unique_ptr<RawTail> tail_;
  uint64_t next_;
  std::shared_ptr<std::promise<Result<Entries>>> promise_;
  std::future<Result<Entries>> future_;
};

LogPosition After(uint64_t id) {
  return {Kind::kAfter, {0, id}};
}

class SharedLogTest : public testing::Test {
 protected:
  // The tails that nobody needs are closed a moment later.
  void AwaitOpen(size_t count) {
    while (fake_->open() != count) std::this_thread::yield();
  }
  std::shared_ptr<FakeLog> fake_ = std::make_shared<FakeLog>();
  std::shared_ptr<RawLog> log_ = ShareTails(fake_);
};

TEST_F(SharedLogTest, ReadersThatStartTogetherShareATail) {
  fake_->Append(50);
  fake_->Hold(true);
  std::vector<std::unique_ptr<Reader>> readers;
  for (const uint64_t start : {20, 30, 20, 25, 40}) {
    readers.push_back(std::make_unique<Reader>(log_.get(), After(start)));
    readers.back()->Start();
  }
  fake_->Hold(false);
  for (const auto& reader : readers) {
    ASSERT_TRUE(reader->Take().ok());
    reader->ReadTo(50);
  }
  EXPECT_EQ(fake_->opened(), 1u);
  for (const auto& reader : readers) reader->Start();
  fake_->Append(3);
  for (const auto& reader : readers) ASSERT_TRUE(reader->Take().ok());
  EXPECT_EQ(fake_->opened(), 1u);
}

TEST_F(SharedLogTest, MoreLiesAtHandInWhatIsKeptAndInTheLog) {
  fake_->Append(10);
  fake_->Hold(true);
  Reader fast(log_.get(), LogPosition{});
  Reader slow(log_.get(), LogPosition{});
  fast.Start();
  slow.Start(3);
  fake_->Hold(false);
  ASSERT_TRUE(fast.Take().ok());
  ASSERT_TRUE(slow.Take().ok());
  EXPECT_FALSE(fast.has_more());
  EXPECT_TRUE(slow.has_more());
  slow.ReadTo(10);
  EXPECT_FALSE(slow.has_more());
  fake_->Append(1);
  EXPECT_TRUE(fast.has_more());
}

TEST_F(SharedLogTest, OneBehindReadsForItselfUntilItMeetsTheOthers) {
  fake_->Append(1000);
  Reader live(log_.get(), After(990));
  live.ReadTo(1000);
  Reader behind(log_.get(), LogPosition{});
  behind.ReadTo(1000);
  EXPECT_EQ(fake_->opened(), 2u);
  live.Start();
  behind.Start();
  fake_->Append(1);
  ASSERT_TRUE(live.Take().ok());
  ASSERT_TRUE(behind.Take().ok());
  AwaitOpen(1);
}

TEST_F(SharedLogTest, ASlowReaderDoesNotHoldUpTheOthers) {
  fake_->Append(1);
  Reader fast(log_.get(), LogPosition{});
  Reader slow(log_.get(), LogPosition{});
  fast.Start();
  slow.Start();
  ASSERT_TRUE(fast.Take().ok());
  ASSERT_TRUE(slow.Take().ok());
  fake_->Append(200'000);  // more than is kept
  fast.ReadTo(200'001, 1000);
  slow.ReadTo(200'001, 1000);
  fast.Start();
  slow.Start();
  fake_->Append(1);
  ASSERT_TRUE(fast.Take().ok());
  ASSERT_TRUE(slow.Take().ok());
  AwaitOpen(1);
}

TEST_F(SharedLogTest, WhatIsKeptForASlowReaderIsOfTheBudget) {
  for (const size_t bytes : {size_t{1} << 20, size_t{0}}) {
    const auto budget = std::make_shared<ReadBudget>(bytes);
    const auto fake = std::make_shared<FakeLog>();
    const auto log = ShareTails(fake, budget);
    fake->Append(1);
    fake->Hold(true);
    Reader fast(log.get(), LogPosition{});
    Reader slow(log.get(), LogPosition{});
    fast.Start();
    slow.Start();
    fake->Hold(false);
    ASSERT_TRUE(fast.Take().ok());
    ASSERT_TRUE(slow.Take().ok());
    fake->Append(10'000);
    fast.ReadTo(10'001, 100);
    if (bytes > 0) {
      EXPECT_GT(budget->used(), 400'000u);
    } else {
      EXPECT_LE(budget->used(), 64u << 10) << "but for what is kept for who comes a moment later";
    }
    fake->Append(100'000);
    fast.ReadTo(110'001, 100);
    EXPECT_LE(budget->used(), 64u << 10) << "the slow one reads for itself by now";
    slow.ReadTo(110'001, 1000);
  }
}

TEST_F(SharedLogTest, AnErrorReachesAllThatWaitAndNothingIsLost) {
  fake_->Append(5);
  Reader a(log_.get(), LogPosition{});
  Reader b(log_.get(), LogPosition{});
  a.ReadTo(5);
  b.ReadTo(5);
  a.Start();
  b.Start();
  fake_->Fail(RetryError("away"));
  EXPECT_FALSE(a.Take().ok());
  EXPECT_FALSE(b.Take().ok());
  a.Start();
  fake_->Append(2);
  ASSERT_TRUE(a.Take().ok());
  b.ReadTo(7);
}

TEST_F(SharedLogTest, WhenAllLeaveTheTailEnds) {
  fake_->Append(5);
  auto a = std::make_unique<Reader>(log_.get(), LogPosition{});
  auto b = std::make_unique<Reader>(log_.get(), LogPosition{});
  a->ReadTo(5);
  b->Start();
  a.reset();
  ASSERT_TRUE(b->Take().ok());
  b.reset();
  AwaitOpen(0);
}

TEST_F(SharedLogTest, AnyMixtureOfReadersMissesNothing) {
  std::mt19937 random(7);
  uint64_t newest = 100;
  fake_->Append(newest);
  std::vector<std::unique_ptr<Reader>> readers;
  std::vector<Reader*> waiting;
  for (int step = 0; step < 5000; ++step) {
    const uint32_t dice = random() % 100;
    if (dice < 10 && readers.size() < 20) {
      const uint64_t back = random() % 4 == 0 ? newest : random() % 10;
      const LogPosition from = back == newest ? LogPosition{} : After(newest - back);
      readers.push_back(std::make_unique<Reader>(log_.get(), from));
    } else if (dice < 15 && !readers.empty()) {
      std::swap(readers[random() % readers.size()], readers.back());
      std::erase(waiting, readers.back().get());
      readers.pop_back();
    } else if (dice < 40) {
      const uint64_t count = random() % 50 == 0 ? 30'000 : random() % 20 + 1;
      newest += count;
      fake_->Append(count);
    } else if (!readers.empty()) {
      Reader* reader = readers[random() % readers.size()].get();
      const auto at = std::find(waiting.begin(), waiting.end(), reader);
      if (at == waiting.end()) {
        reader->Start(random() % 5000 + 1);
        waiting.push_back(reader);
      } else if (reader->ready()) {
        ASSERT_TRUE(reader->Take().ok());
        waiting.erase(at);
      }
    }
  }
  fake_->Append(1);
  for (Reader* reader : waiting) ASSERT_TRUE(reader->Take().ok());
  for (const auto& reader : readers) reader->ReadTo(newest + 1, 5000);
  for (const auto& reader : readers) reader->Start();
  AwaitOpen(readers.empty() ? 0 : 1);
  fake_->Append(1);
  for (const auto& reader : readers) ASSERT_TRUE(reader->Take().ok());
}

}  // namespace
}  // namespace cdc
