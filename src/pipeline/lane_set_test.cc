#include "pipeline/lane_set.h"

#include <gtest/gtest.h>

#include "pipeline/manual_executor_test.h"

namespace cdc {
namespace {

class FakeSink final : public DataSink {
 public:
  void Send(std::shared_ptr<const LaneBatch> batch, Callback<size_t>,
            Callback<SendOutcome> done) override {
    sent = std::move(batch);
    answer = std::move(done);
  }
  void Drain(const std::string&, Callback<Status> done) override { done(OkStatus()); }
  void Forget(const std::string& lane) override { forgotten.push_back(lane); }
  std::vector<std::string> forgotten;
  std::shared_ptr<const LaneBatch> sent;
  Callback<SendOutcome> answer;
};

class FakeClient final : public LaneClient {
 public:
  void OnLaneAcked(uint64_t) override {}
  void OnCollectionRefused(CollectionId, const Error&) override {}
  void OnLaneTrouble(const std::string&, const Error*) override {}
};

class FakeStore final : public ProgressStore {
 public:
  void Commit(ProgressWrite write, Callback<Status> done) override {
    for (const LaneFence& lane : write.lanes) fences[lane.lane] = lane.fence;
    done(OkStatus());
  }
  std::map<std::string, Timestamp> fences;
};

// Rows of an earlier life may carry any stamp up to the fence that it left.
TEST(LaneSetTest, ReadableAtCoversWhatEarlierLivesSent) {
  ManualExecutor executor;
  FakeSink sink;
  FakeStore store;
  FakeClient client;
  LaneSet::Options options;
  LaneSet lanes("target", options, {{"a", 70}, {"b", 90}}, &executor, &sink, &store);
  EXPECT_EQ(lanes.ReadableAt(), 90u);
  Lane* lane = lanes.Get("a");
  const auto edge = lane->Join(&client, 0);
  lane->Advance(edge, 120);
  executor.Run(std::chrono::seconds(1));
  ASSERT_NE(sink.sent, nullptr);
  EXPECT_EQ(lanes.ReadableAt(), 90u);
  sink.answer({});
  EXPECT_EQ(lanes.ReadableAt(), 120u);
  lane->Leave(edge);
  lanes.Release("a");
  EXPECT_EQ(lanes.Find("a"), nullptr);
  EXPECT_EQ(sink.forgotten, std::vector<std::string>{"a"});
  EXPECT_EQ(lanes.ReadableAt(), 120u);
  EXPECT_EQ(lanes.calls(), 1u) << "a counter never falls";
}

TEST(LaneSetTest, ALaneReleasedInTheMiddleOfACallIsFreedBehindIt) {
  ManualExecutor executor;
  FakeSink sink;
  FakeStore store;
  FakeClient client;
  LaneSet lanes("target", {}, {}, &executor, &sink, &store);
  for (const char* name : {"a", "b"}) {
    Lane* lane = lanes.Get(name);
    const auto edge = lane->Join(&client, 0);
    lane->Advance(edge, 120);
    executor.Run(std::chrono::seconds(1));
    lane->Leave(edge);
    lanes.Release(name);
    lanes.Release(name);
    executor.Run(std::chrono::seconds(5));
    ASSERT_NE(lanes.Find(name), nullptr) << "its call is in flight";
    if (lane->name() == "b") lane->Join(&client, 120);  // in use again
    sink.answer({});
    executor.Run(std::chrono::seconds(5));
  }
  EXPECT_EQ(lanes.Find("a"), nullptr);
  EXPECT_NE(lanes.Find("b"), nullptr);
  EXPECT_EQ(sink.forgotten, std::vector<std::string>{"a"});
}

TEST(LaneSetTest, NoStampIsSentBeforeItsFenceIsDurable) {
  ManualExecutor executor;
  FakeSink sink;
  FakeStore store;
  FakeClient client;
  LaneSet lanes("target", {}, {}, &executor, &sink, &store);
  Lane* lane = lanes.Get("a");
  lane->Advance(lane->Join(&client, 0), 120);
  executor.Run(std::chrono::seconds(1));
  ASSERT_NE(sink.sent, nullptr);
  EXPECT_GE(store.fences["a"], sink.sent->tick);
}

}  // namespace
}  // namespace cdc
