#include "sink/milvus/replicate_plan.h"

#include <gtest/gtest.h>

#include "client/milvus/golden_for_tests.h"
#include "sink/milvus/log_messages_for_tests.h"
#include "sink/milvus/rows_for_tests.h"

namespace cdc {
namespace {

using log_messages_for_tests::LogMessage;
using log_messages_for_tests::MessagesIn;
using log_messages_for_tests::Numbers;
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

TEST(ReplicatePlanTest, RowsThenTheTickInOneCall) {
  const auto calls = PlanReplicateCalls(
      Batch({{Insert({1, 2}, 10, kP1), Address(), 10}, {Delete({1}, 11, kP1), Address(), 11}}, 12),
      1 << 20);
  ASSERT_TRUE(calls.ok());
  ASSERT_EQ(calls->size(), 1u);
  EXPECT_EQ(calls->front().items_done, 2u);
  std::string channel;
  const auto messages = MessagesIn(calls->front().request.Join(), &channel);
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
  const auto messages = MessagesIn(calls->front().request.Join());
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
    for (const LogMessage& message : MessagesIn(call.request.Join())) {
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
    for (const LogMessage& message : MessagesIn(call.request.Join())) stamps.push_back(message.ts);
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

// The Inserts of the calls for `items`, and the types of all their messages.
struct Planned {
  std::vector<LogMessage> inserts;
  std::vector<uint64_t> types;
};
Planned Plan(std::vector<LaneItem> items, Timestamp tick_before = 5) {
  Planned planned;
  LaneBatch batch = Batch(std::move(items), 1 << 20);
  batch.tick_before = tick_before;
  const auto calls = PlanReplicateCalls(batch, 1 << 20);
  EXPECT_TRUE(calls.ok());
  for (const PlannedCall& call : *calls) {
    for (LogMessage& message : MessagesIn(call.request.Join())) {
      planned.types.push_back(message.type);
      if (message.type == 400) planned.inserts.push_back(std::move(message));
    }
  }
  return planned;
}

TEST(ReplicatePlanTest, InsertsOfAPartitionShareAMessageAndKeepTheirStamps) {
  const Planned planned = Plan({{Insert({1, 2}, 10, kP1), Address(), 10},
                                {Insert({3}, 11, kP1), Address(), 11},
                                {Insert({4, 5}, 12, kP1), Address(), 15}});
  ASSERT_EQ(planned.types, (Numbers{400, 1200}));
  const LogMessage& message = planned.inserts[0];
  EXPECT_EQ(message.stamps(), (Numbers{10, 10, 11, 15, 15}));
  EXPECT_EQ(message.numbers.at(11), (Numbers{1, 2, 3, 4, 5})) << "row ids";
  EXPECT_EQ(message.numbers.at(14), Numbers{5}) << "rows";
  EXPECT_EQ(message.numbers.at(15), Numbers{1}) << "version";
  EXPECT_EQ(message.ts, 15u);
  EXPECT_EQ(message.texts.at(2).at(0), "tgt-dml_1_8v0");
  EXPECT_EQ(message.texts.at(5).at(0), "p1");
  EXPECT_EQ(message.numbers.at(7), Numbers{8}) << "collection";
  EXPECT_EQ(message.numbers.at(8), Numbers{81}) << "partition";
  EXPECT_FALSE(message.numbers.contains(9)) << "segment";
}

// A standby that was promoted is a source with such messages in its log.
TEST(ReplicatePlanTest, AJoinedMessageIsReadAgainAndStaysAboveTheTick) {
  const Planned planned =
      Plan({{Insert({1}, 10, kP1), Address(), 10}, {Insert({2}, 12, kP1), Address(), 12}});
  ASSERT_EQ(planned.inserts.size(), 1u);
  const Change again = rows_for_tests::Decoded(planned.inserts[0].bytes);
  EXPECT_EQ(again.ts, 12u);
  EXPECT_EQ(again.lowest_ts, 10u);
  EXPECT_EQ(again.num_rows, 2u);
  const Change next = Insert({3}, 13, kP1);
  const std::vector<LaneItem> items = {{again, Address(), 12}, {next, Address(), 13}};
  EXPECT_EQ(Plan(items, 9).inserts.at(0).stamps(), (Numbers{10, 12, 13}));
  EXPECT_EQ(Plan(items, 10).inserts.at(0).stamps(), (Numbers{12, 12, 13}));
  EXPECT_EQ(Plan({items[0]}, 9).inserts.at(0).stamps(), (Numbers{10, 12}));
  EXPECT_EQ(Plan({items[0]}, 11).inserts.at(0).stamps(), (Numbers{12, 12}));
}

// A consumer that sorts messages by time, as ours does, must not see a delete within one.
TEST(ReplicatePlanTest, ADeleteOfTheShardPartsTheInsertsAroundIt) {
  auto other = std::make_shared<TargetAddressOfRows>(*Address());
  other->partition_id = 82;
  auto elsewhere = std::make_shared<TargetAddressOfRows>(*Address());
  elsewhere->vchannel = "tgt-dml_1_9v0";
  elsewhere->collection_id = 9;
  const Planned planned = Plan({{Insert({1}, 10, kP1), Address(), 10},
                                {Insert({2}, 11, kP1), other, 11},
                                {Insert({3}, 12, kP1), elsewhere, 12},
                                {Delete({1}, 13, kP1), Address(), 13},
                                {Insert({4}, 14, kP1), Address(), 14},
                                {Insert({5}, 15, kP1), other, 15},
                                {Insert({6}, 16, kP1), elsewhere, 16},
                                {Insert({7}, 17, kP1), Address(), 17}});
  EXPECT_EQ(planned.types, (Numbers{400, 400, 401, 400, 400, 400, 1200}));
  std::vector<Numbers> stamps;
  for (const LogMessage& message : planned.inserts) stamps.push_back(message.stamps());
  EXPECT_EQ(stamps, (std::vector<Numbers>{{10}, {11}, {14, 17}, {15}, {12, 16}}));
}

TEST(ReplicatePlanTest, AReplayedInsertStaysBetweenItsNeighbours) {
  const Planned planned = Plan({{Insert({1}, 10, kP1), Address(), 10},
                                {Insert({2}, 11, kP1), Address(), 13, true},
                                {Insert({3}, 14, kP1), Address(), 14}});
  EXPECT_EQ(planned.types, (Numbers{400, 401, 400, 400, 1200}));
}

TEST(ReplicatePlanTest, WhatServersWroteIsJoinedColumnByColumn) {
  size_t inserts = 0;
  for (const golden::Golden& golden : golden::AllGolden()) {
    if (golden.msg_type != 400 || golden.payload.bytes.size() > 16 << 10) continue;
    SCOPED_TRACE(golden.name);
    const Change change = *DecodeMessage(LogId{0, 1}, golden.payload);
    const auto to = std::make_shared<TargetAddressOfRows>(golden::Address(golden));
    const Timestamp ts = change.ts;
    const Planned planned = Plan({{change, to, ts}, {change, to, ts}, {change, to, ts + 7}});
    ASSERT_EQ(planned.inserts.size(), 1u);
    const LogMessage one(golden.payload.bytes);
    Numbers stamps(2 * golden.rows, ts);
    stamps.resize(3 * golden.rows, ts + 7);
    const LogMessage& joined = planned.inserts[0];
    EXPECT_EQ(joined.stamps(), stamps);
    EXPECT_EQ(joined.numbers.at(11).size(), 3 * one.numbers.at(11).size());
    EXPECT_EQ(joined.numbers.at(15), one.numbers.at(15));
    columns_for_tests::Columns expected = one.Columns();
    for (int i = 0; i < 2; ++i) expected.Append(one.Columns());
    const columns_for_tests::Columns actual = joined.Columns();
    ASSERT_TRUE(expected.parsed() && actual.parsed());
    EXPECT_EQ(actual.Text(), expected.Text());
    ++inserts;
  }
  EXPECT_GE(inserts, 5u);
}

// Fields that came after this code, and other sets of columns.
TEST(ReplicatePlanTest, WhatDoesNotLineUpTravelsAlone) {
  const Change known = Insert({1}, 10, kP1);
  WireWriter more;
  more.Bytes(16, "a namespace");
  const Change unknown =
      rows_for_tests::Decoded(std::string(Insert({2}, 11, kP1).payload.bytes) + more.Take());
  const Planned planned =
      Plan({{known, Address(), 10}, {unknown, Address(), 11}, {known, Address(), 12}});
  EXPECT_EQ(planned.inserts.size(), 3u);
}

TEST(ReplicatePlanTest, LargeMessagesAreNotJoined) {
  const std::string text(20'000, 't');
  const Planned planned = Plan(
      {{Insert({1}, 10, kP1, text), Address(), 10}, {Insert({2}, 11, kP1, text), Address(), 11}});
  EXPECT_EQ(planned.inserts.size(), 2u);
  std::vector<LaneItem> many;
  for (int64_t key = 0; key < 40; ++key) {
    const Timestamp ts = 10 + static_cast<Timestamp>(key);
    many.push_back({Insert({key}, ts, kP1, std::string(10'000, 't')), Address(), ts});
  }
  EXPECT_EQ(Plan(many).inserts.size(), 2u) << "400 KB in messages of 256 KiB";
}

TEST(ReplicatePlanTest, DropsAreMessagesToo) {
  Change drop;
  drop.kind = ChangeKind::kDropCollection;
  const auto calls = PlanReplicateCalls(Batch({{drop, Address(), 30}}, 31), 1 << 20);
  ASSERT_TRUE(calls.ok());
  const auto messages = MessagesIn(calls->front().request.Join());
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
