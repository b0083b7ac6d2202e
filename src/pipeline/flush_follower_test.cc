#include "pipeline/flush_follower.h"

#include <gtest/gtest.h>

#include "pipeline/manual_executor_test.h"

namespace cdc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// An operation topic that nobody can read.
class BrokenSource final : public OperationSource {
 public:
  explicit BrokenSource(Executor* executor) : executor_(executor) {}

  std::unique_ptr<OperationReader> Open(LogPosition) override {
    return std::make_unique<Reader>(this);
  }
  int reads = 0;

 private:
  class Reader final : public OperationReader {
   public:
    explicit Reader(BrokenSource* source) : source_(source) {}
    void Read(Callback<Result<std::vector<Operation>>> done) override {
      ++source_->reads;
      source_->executor_->Post(
          [done = std::move(done)]() mutable { done(RetryError("the broker is away")); });
    }

   private:
    BrokenSource* const source_;
  };
  Executor* const executor_;
};

// Checkpoints move several times a second, and each move calls Continue().
TEST(FlushFollower, ATopicThatCannotBeReadIsTriedMoreAndMoreRarely) {
  ManualExecutor executor;
  BrokenSource source(&executor);
  std::string trouble;
  // No operation ever comes, so neither the target nor the collections are asked.
  FlushFollower follower(
      LogPosition{}, &executor, &source, nullptr, nullptr,
      {.trouble = [&](const Error* error) { trouble = error == nullptr ? "" : error->message; }});
  follower.Start();
  for (int i = 0; i < 600; ++i) {
    executor.Run(milliseconds(100));
    follower.Continue();
  }
  EXPECT_EQ(trouble, "the broker is away");
  // 0.2 + 0.4 + ... + 6.4 s are 7 tries; then one every 10 s.
  EXPECT_GE(source.reads, 8);
  EXPECT_LE(source.reads, 13);
}

}  // namespace
}  // namespace cdc
