// What MilvusSink does with answers that a real Milvus gives once in a thousand times.
#include "sink/milvus/milvus_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "base/thread_executor.h"
#include "client/milvus/scripted_milvus_for_tests.h"
#include "sink/milvus/log_messages_for_tests.h"
#include "sink/milvus/rows_for_tests.h"

namespace cdc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string Failure(uint64_t code, const std::string& reason) {
  WireWriter status, answer;
  status.Varint(1, 1);
  status.Bytes(2, reason);
  status.Varint(3, code);
  answer.Bytes(1, status.Take());
  return answer.Take();
}

std::string PartitionNotFound() {
  return Failure(200, "partition not found[partition=p]");
}

// Carried out wholly, in part or not at all.
std::string Internal() {
  return Failure(5, "service internal error");
}

std::string Partitions(const std::string& name) {
  WireWriter answer;
  answer.Bytes(2, name);
  answer.Varint(3, 77);
  return answer.Take();
}

LaneItem Row(int64_t key, const std::string& partition = "p", const std::string& text = "t") {
  auto to = std::make_shared<TargetAddressOfRows>();
  to->name = {"default", "c"};
  to->collection_id = 9;
  to->partition = partition;
  to->partition_id = 77;
  to->primary_key = rows_for_tests::kKeyField;
  to->primary_key_name = "id";
  return {rows_for_tests::Insert({key}, 100, 8, text), to, 100, false};
}

std::shared_ptr<const LaneBatch> Batch(const std::string& lane, std::vector<LaneItem> items) {
  auto batch = std::make_shared<LaneBatch>();
  batch->lane = lane;
  batch->items = std::move(items);
  return batch;
}

// A sink and its executor.
class Sink {
 public:
  explicit Sink(const ScriptedMilvus& target, MilvusSink::Options options = {},
                TargetMode mode = TargetMode::kApi)
      : executor_("sink") {
    options.settle = std::chrono::milliseconds(1);
    executor_.RunAndWait(
        [&] { sink_ = std::make_unique<MilvusSink>(target.address(), mode, &executor_, options); });
  }
  ~Sink() {
    executor_.RunAndWait([&] { sink_.reset(); });
  }

  std::future<SendOutcome> StartSend(std::shared_ptr<const LaneBatch> batch) {
    auto outcome = std::make_shared<std::promise<SendOutcome>>();
    executor_.Post([this, batch = std::move(batch), outcome] {
      sink_->Send(
          batch, [](size_t) {}, [outcome](const SendOutcome& sent) { outcome->set_value(sent); });
    });
    return outcome->get_future();
  }
  SendOutcome Send(std::shared_ptr<const LaneBatch> batch) {
    return StartSend(std::move(batch)).get();
  }
  std::future<Status> StartDrain(const std::string& lane) {
    auto drained = std::make_shared<std::promise<Status>>();
    executor_.Post([this, lane, drained] {
      sink_->Drain(lane, [drained](const Status& status) { drained->set_value(status); });
    });
    return drained->get_future();
  }
  Status Drain(const std::string& lane) { return StartDrain(lane).get(); }

 private:
  ThreadExecutor executor_;
  std::unique_ptr<MilvusSink> sink_;
};

SendOutcome SendOneInsert(const ScriptedMilvus& target) {
  return Sink(target).Send(Batch("lane", {Row(1)}));
}

std::string Success(const std::string&) {
  return {};
}

TEST(MilvusSinkTest, LanesThatWriteOneAfterAnotherShareAConnection) {
  ScriptedMilvus target(Success);
  Sink sink(target);
  for (int lane = 0; lane < 100; ++lane) {
    ASSERT_TRUE(sink.Send(Batch("lane" + std::to_string(lane), {Row(lane)})).status.ok());
  }
  EXPECT_EQ(target.called().size(), 100U);
  EXPECT_EQ(target.connections(), 1U);
}

TEST(MilvusSinkTest, LanesThatWriteAtOnceAreServedByABoundedNumberOfConnections) {
  ScriptedMilvus target(Success);
  MilvusSink::Options options;
  options.max_connections = 3;
  Sink sink(target, options);
  for (int round = 0; round < 2; ++round) {
    std::vector<std::future<SendOutcome>> sent;
    for (int lane = 0; lane < 300; ++lane) {
      sent.push_back(sink.StartSend(Batch("lane" + std::to_string(lane), {Row(lane)})));
    }
    for (std::future<SendOutcome>& outcome : sent) ASSERT_TRUE(outcome.get().status.ok());
  }
  EXPECT_EQ(target.called().size(), 600U);
  EXPECT_LE(target.connections(), 3U);
}

TEST(MilvusSinkTest, AConnectionThatACallOfUnknownOutcomeWasMadeOnIsNotUsedAgain) {
  ScriptedMilvus target([calls = 0](const std::string& method) mutable {
    return method == "Insert" && ++calls == 2 ? Internal() : std::string();
  });
  Sink sink(target);
  ASSERT_TRUE(sink.Send(Batch("a", {Row(1)})).status.ok());
  const SendOutcome outcome = sink.Send(Batch("a", {Row(2)}));
  ASSERT_FALSE(outcome.status.ok());
  EXPECT_EQ(outcome.status.error().kind, ErrorKind::kUnknownOutcome);
  ASSERT_TRUE(sink.Send(Batch("b", {Row(3)})).status.ok());
  ASSERT_TRUE(sink.Drain("a").ok());
  ASSERT_TRUE(sink.Send(Batch("a", {Row(2)})).status.ok());
  ASSERT_THAT(target.called(), ElementsAre("Insert", "Insert", "Insert", "GetVersion", "Insert"));
  const std::vector<std::string> on = target.called_on();
  EXPECT_EQ(on[0], on[1]);
  EXPECT_NE(on[2], on[1]);
  EXPECT_NE(on[3], on[1]);
  EXPECT_NE(on[3], on[2]) << "a new one";
  EXPECT_EQ(on[4], on[2]) << "what another lane opened meanwhile";
}

// After a start all lanes with rows to replay drain at once.
TEST(MilvusSinkTest, DrainsOfManyLanesAskTheTargetTogether) {
  ScriptedMilvus target(Success);
  Sink sink(target);
  std::vector<std::future<Status>> drained;
  for (int lane = 0; lane < 1000; ++lane) {
    drained.push_back(sink.StartDrain("lane" + std::to_string(lane)));
  }
  for (std::future<Status>& status : drained) EXPECT_TRUE(status.get().ok());
  EXPECT_LT(target.connections(), 100U);
}

// Were it said to be fatal, the lane would repeat the rest without waiting for what may still land.
TEST(MilvusSinkTest, AnUnknownOutcomeIsToldBeforeARefusal) {
  ScriptedMilvus target([calls = 0](const std::string& method) mutable {
    if (method != "Insert") return std::string();
    return ++calls == 1 ? Failure(1100, "invalid parameter") : Internal();
  });
  Sink sink(target);
  const SendOutcome outcome = sink.Send(Batch("a", {Row(1, "p1"), Row(1, "p2")}));
  ASSERT_FALSE(outcome.status.ok());
  EXPECT_EQ(outcome.status.error().kind, ErrorKind::kUnknownOutcome);
}

// The keys of all rows in Insert requests, in order.
std::vector<int64_t> KeysIn(const std::vector<std::string>& requests) {
  std::vector<int64_t> keys;
  for (const std::string& request : requests) {
    WireReader fields(request);
    while (fields.Next()) {
      if (!fields.Is(5, WireType::kBytes)) continue;
      WireReader column(fields.bytes());
      std::string_view name, values;
      while (column.Next()) {
        if (column.field() == 2) name = column.bytes();
        if (column.field() == 3) values = column.bytes();
      }
      if (name != "id") continue;
      WireReader kinds(values);
      while (kinds.Next()) {
        WireReader array(kinds.bytes());
        while (array.Next()) {
          ForEachVarint(array, [&](uint64_t key) { keys.push_back(static_cast<int64_t>(key)); });
        }
      }
    }
  }
  return keys;
}

constexpr int kTargetTakes = 100'000;
const std::string kText(10'000, 't');

TEST(MilvusSinkTest, ATargetThatTakesLittleAtOnceGetsSmallerCalls) {
  ScriptedMilvus target(Success, kTargetTakes);
  Sink sink(target);
  std::vector<LaneItem> rows;
  std::vector<int64_t> keys;
  for (int64_t key = 0; key < 100; ++key) {
    rows.push_back(Row(key, "p", kText));
    keys.push_back(key);
  }
  const SendOutcome outcome = sink.Send(Batch("a", rows));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().message;
  EXPECT_EQ(outcome.applied, 100U);
  EXPECT_THAT(KeysIn(target.requests()), testing::UnorderedElementsAreArray(keys));
  EXPECT_EQ(target.connections(), 1U);
  const size_t refused = target.refused();
  EXPECT_GT(refused, 0U);
  EXPECT_LT(refused, 20U);
  ASSERT_TRUE(sink.Send(Batch("b", rows)).status.ok());
  EXPECT_EQ(target.refused(), refused) << "it is known by now";
}

// Calls of a group are in flight together: what succeeded beside a refusal must not be sent again.
TEST(MilvusSinkTest, WhatWasAppliedBesideARefusedCallIsNotRepeated) {
  ScriptedMilvus target(Success, kTargetTakes);
  Sink sink(target);
  std::vector<LaneItem> rows;
  std::vector<int64_t> keys;
  for (int64_t key = 0; key < 40; ++key) {
    rows.push_back(Row(key, "large", kText));
    rows.push_back(Row(1000 + key, "small"));
    keys.insert(keys.end(), {key, 1000 + key});
  }
  const SendOutcome outcome = sink.Send(Batch("a", rows));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().message;
  EXPECT_EQ(outcome.applied, 80U);
  EXPECT_GT(target.refused(), 0U);
  EXPECT_THAT(KeysIn(target.requests()), testing::UnorderedElementsAreArray(keys));
}

TEST(MilvusSinkTest, AStandbyThatTakesLittleAtOnceGetsSmallerCalls) {
  ScriptedMilvus target(Success, kTargetTakes);
  Sink sink(target, {}, TargetMode::kReplicate);
  LaneBatch batch;
  batch.lane = "dml";
  for (int64_t key = 0; key < 100; ++key) {
    batch.items.push_back(Row(key, "p", kText));
    batch.items.back().stamp = 100 + static_cast<Timestamp>(key);
  }
  batch.tick = 300;
  const SendOutcome outcome = sink.Send(std::make_shared<LaneBatch>(batch));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().message;
  EXPECT_EQ(outcome.applied, 100U);
  EXPECT_GT(target.refused(), 0U);
  std::vector<Timestamp> stamps;  // of the rows
  Timestamp last = 0;             // of messages
  for (const std::string& request : target.requests()) {
    for (const auto& message : log_messages_for_tests::MessagesIn(request)) {
      last = message.ts;
      if (message.type != 400) continue;
      stamps.insert(stamps.end(), message.stamps().begin(), message.stamps().end());
    }
  }
  ASSERT_EQ(stamps.size(), 100U);
  for (size_t i = 0; i < 100; ++i) EXPECT_EQ(stamps[i], 100 + i);
  EXPECT_EQ(last, 300U);
}

TEST(MilvusSinkTest, OneMessageThatIsTooLargeByItselfIsRefusedWithAdvice) {
  ScriptedMilvus target(Success, kTargetTakes);
  Sink sink(target);
  const SendOutcome outcome =
      sink.Send(Batch("a", {Row(1), Row(2, "p", std::string(kTargetTakes, 't')), Row(3)}));
  ASSERT_FALSE(outcome.status.ok());
  EXPECT_FALSE(outcome.status.error().IsRetry());
  EXPECT_THAT(outcome.status.error().message, HasSubstr("proxy.grpc.serverMaxRecvSize"));
  EXPECT_EQ(outcome.applied, 1U);
}

TEST(MilvusSinkTest, AnAnswerThatIsTooLargeLeavesTheOutcomeOpen) {
  ScriptedMilvus target(Success);
  target.EndCallsWith([](size_t) {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                        "grpc: received message larger than max (5 vs. 4)");
  });
  Sink sink(target);
  const SendOutcome outcome = sink.Send(Batch("a", {Row(1), Row(2)}));
  ASSERT_FALSE(outcome.status.ok());
  EXPECT_TRUE(outcome.status.error().IsRetry());
  EXPECT_EQ(outcome.status.error().kind, ErrorKind::kUnknownOutcome);
  EXPECT_EQ(target.called().size(), 1U) << "the lane drains first";
}

// It used to stop the task for good.
TEST(MilvusSinkTest, AGatewaysRateLimitIsTriedAgain) {
  ScriptedMilvus target(Success);
  target.EndCallsWith([](size_t) {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many requests");
  });
  Sink sink(target);
  const SendOutcome outcome = sink.Send(Batch("a", {Row(1)}));
  ASSERT_FALSE(outcome.status.ok());
  EXPECT_TRUE(outcome.status.error().IsRetry());
}

TEST(MilvusSinkTest, APartitionThatTheTargetHasForgottenIsLookedForAgain) {
  ScriptedMilvus target([](const std::string& method) {
    if (method == "Insert") return PartitionNotFound();
    return method == "ShowPartitions" ? Partitions("p") : std::string();
  });
  const SendOutcome outcome = SendOneInsert(target);
  ASSERT_FALSE(outcome.status.ok());
  EXPECT_TRUE(outcome.status.error().IsRetry());
  EXPECT_THAT(outcome.status.error().message, HasSubstr("made to look again"));
  EXPECT_THAT(target.called(), ElementsAre("Insert", "ShowPartitions", "CreateAlias", "DropAlias"));
}

TEST(MilvusSinkTest, APartitionThatIsGoneIsRefused) {
  ScriptedMilvus target([](const std::string& method) {
    if (method == "Insert") return PartitionNotFound();
    return method == "ShowPartitions" ? Partitions("another") : std::string();
  });
  const SendOutcome outcome = SendOneInsert(target);
  ASSERT_FALSE(outcome.status.ok());
  EXPECT_FALSE(outcome.status.error().IsRetry());
  EXPECT_EQ(outcome.status.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(outcome.status.error().message, StartsWith("Milvus Insert: partition not found"));
  EXPECT_THAT(target.called(), ElementsAre("Insert", "ShowPartitions"));
}

}  // namespace
}  // namespace cdc
