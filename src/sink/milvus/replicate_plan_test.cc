#include "sink/milvus/replicate_plan.h"

#include <gtest/gtest.h>

#include "sink/milvus/rows_for_tests.h"

namespace cdc {
namespace {

using rows_for_tests::Delete;
using rows_for_tests::Insert;

constexpr PartitionId kP1 = 71;

std::shared_ptr<const TargetAddressOfRows> Address() {
  auto to = std::make_shared<TargetAddressOfRows>();
  to->name = {"default", "target"};
  to->collection_id = 8;
  to->vchannel = "tgt-dml_1_8v0";
  to->pchannel = "tgt-dml_1";
  to->partition = "p1";
  to->partition_id = 81;
  to->primary_key = rows_for_tests::kKeyField;
  to->primary_key_name = "id";
  return to;
}

LaneBatch Batch(std::vector<LaneItem> items, Timestamp tick) {
  LaneBatch batch;
  batch.lane = "tgt-dml_1";
  batch.items = std::move(items);
  batch.tick = tick;
  batch.tick_before = 5;
  return batch;
}

struct Message {
  uint64_t type = 0;
  Timestamp ts = 0;
  int64_t msg_id = 0;
};

// The channel and the messages of one request.
std::pair<std::string, std::vector<Message>> Read(const Slices& request) {
  std::string channel;
  std::vector<Message> messages;
  const std::string bytes = request.Join();
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(2, WireType::kBytes)) channel = reader.bytes();
    if (!reader.Is(5, WireType::kBytes)) continue;
    WireReader fields(reader.bytes());
    while (fields.Next()) {
      if (!fields.Is(1, WireType::kBytes)) continue;
      Message message;
      WireReader base(fields.bytes());
      while (base.Next()) {
        if (base.field() == 1) message.type = base.number();
        if (base.field() == 2) message.msg_id = static_cast<int64_t>(base.number());
        if (base.field() == 3) message.ts = base.number();
      }
      messages.push_back(message);
    }
  }
  EXPECT_TRUE(reader.ok());
  return {channel, messages};
}

TEST(ReplicatePlanTest, RowsThenTheTickInOneCall) {
  const auto calls = PlanReplicateCalls(
      Batch({{Insert({1, 2}, 10, kP1), Address(), 10}, {Delete({1}, 11, kP1), Address(), 11}}, 12),
      1 << 20);
  ASSERT_TRUE(calls.ok());
  ASSERT_EQ(calls->size(), 1u);
  EXPECT_EQ(calls->front().items_done, 2u);
  const auto [channel, messages] = Read(calls->front().request);
  EXPECT_EQ(channel, "tgt-dml_1");
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[0].type, 400u);
  EXPECT_EQ(messages[0].ts, 10u);
  EXPECT_EQ(messages[1].type, 401u);
  EXPECT_EQ(messages[1].ts, 11u);
  EXPECT_EQ(messages[2].type, 1200u);
  EXPECT_EQ(messages[2].ts, 12u);
}

TEST(ReplicatePlanTest, AReplayedInsertMakesRoomForItselfOneBelow) {
  const Change insert = Insert({1, 2}, 10, kP1);
  const auto calls = PlanReplicateCalls(Batch({{insert, Address(), 50, true}}, 60), 1 << 20);
  ASSERT_TRUE(calls.ok());
  const auto messages = Read(calls->front().request).second;
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[0].type, 401u);
  EXPECT_EQ(messages[0].ts, 49u);
  EXPECT_EQ(messages[1].type, 400u);
  EXPECT_EQ(messages[1].ts, 50u);
  // The target drops messages whose id it has seen: neither may be the original's.
  EXPECT_NE(messages[0].msg_id, messages[1].msg_id);
  EXPECT_NE(messages[0].msg_id, insert.msg_id);
  EXPECT_NE(messages[1].msg_id, insert.msg_id);
}

TEST(ReplicatePlanTest, LargeBatchesAreCutInOrderAndTheTickIsLast) {
  std::vector<LaneItem> items;
  for (int64_t key = 0; key < 5; ++key) {
    const Timestamp ts = 10 + static_cast<Timestamp>(key);
    items.push_back({Insert({key}, ts, kP1), Address(), ts});
  }
  const size_t one = Insert({1}, 10, kP1).payload.bytes.size();
  const auto calls = PlanReplicateCalls(Batch(items, 20), one * 2 + one / 2);
  ASSERT_TRUE(calls.ok());
  ASSERT_GE(calls->size(), 3u);
  size_t done = 0;
  Timestamp last = 0;
  for (const PlannedCall& call : *calls) {
    EXPECT_GE(call.items_done, done);
    done = call.items_done;
    for (const Message& message : Read(call.request).second) {
      EXPECT_GT(message.ts, last);
      last = message.ts;
    }
  }
  EXPECT_EQ(done, 5u);
  EXPECT_EQ(last, 20u);
}

// A replayed message is a delete and an insert, and together they may be more than a target takes.
TEST(ReplicatePlanTest, TheMessagesOfOneItemPartWhereTheyHaveTo) {
  const Change insert = Insert({1, 2}, 10, kP1);
  const LaneBatch batch = Batch({{insert, Address(), 50, true}, {insert, Address(), 52, true}}, 60);
  const auto calls = PlanReplicateCalls(batch, insert.payload.bytes.size() + 8);
  ASSERT_TRUE(calls.ok());
  std::vector<Timestamp> stamps;
  for (const PlannedCall& call : *calls) {
    for (const Message& message : Read(call.request).second) stamps.push_back(message.ts);
  }
  EXPECT_EQ(stamps, (std::vector<Timestamp>{49, 50, 51, 52, 60}));
  ASSERT_EQ(calls->size(), 5u);
  const size_t done[] = {0, 1, 1, 2, 2};
  for (size_t i = 0; i < 5; ++i) {
    const PlannedCall& call = (*calls)[i];
    EXPECT_EQ(call.items_done, done[i]);
    EXPECT_FALSE(call.divisible);
    ASSERT_EQ(call.carries.size(), i < 4 ? 1u : 0u);
    if (i < 4) {
      EXPECT_EQ(call.carries[0].begin, i / 2);
    }
  }
}

TEST(ReplicatePlanTest, DropsAreMessagesToo) {
  Change drop;
  drop.kind = ChangeKind::kDropCollection;
  const auto calls = PlanReplicateCalls(Batch({{drop, Address(), 30}}, 31), 1 << 20);
  ASSERT_TRUE(calls.ok());
  const auto messages = Read(calls->front().request).second;
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].type, 101u);
  EXPECT_EQ(messages[0].ts, 30u);
}

TEST(ReplicatePlanTest, NothingToSayNeedsNoCall) {
  const auto calls = PlanReplicateCalls(Batch({}, 0), 1 << 20);
  ASSERT_TRUE(calls.ok());
  EXPECT_TRUE(calls->empty());
}

TEST(ReplicatePlanTest, AReplayWithoutReadableKeysIsCorrupt) {
  auto to = std::make_shared<TargetAddressOfRows>(*Address());
  to->primary_key = 555;
  to->primary_key_name = "nothing";
  const auto calls = PlanReplicateCalls(Batch({{Insert({1}, 10, kP1), to, 50, true}}, 60), 1 << 20);
  ASSERT_FALSE(calls.ok());
  EXPECT_EQ(calls.error().disposition, Disposition::kCorrupt);
}

}  // namespace
}  // namespace cdc
