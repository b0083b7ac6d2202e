#include "sink/milvus/api_plan.h"

#include <gtest/gtest.h>

#include "sink/milvus/merge_rows.h"
#include "sink/milvus/rows_for_tests.h"

namespace cdc {
namespace {

using rows_for_tests::Delete;
using rows_for_tests::Insert;
using Kind = PlannedCall::Kind;

constexpr PartitionId kP1 = 71;

std::shared_ptr<const TargetAddressOfRows> Address(const std::string& partition,
                                                   bool partition_key = false) {
  auto to = std::make_shared<TargetAddressOfRows>();
  to->name = {"default", "target"};
  to->collection_id = 8;
  to->partition = partition;
  to->partition_id = partition.empty() ? kAllPartitions : 81;
  to->primary_key = rows_for_tests::kKeyField;
  to->primary_key_name = "id";
  to->partition_key = partition_key;
  return to;
}

LaneItem Item(Change change, const std::string& partition, bool replay = false,
              bool partition_key = false) {
  return {std::move(change), Address(partition, partition_key), 0, replay};
}

std::vector<PlannedCall> Plan(std::vector<LaneItem> items, ApiPlanOptions options = {}) {
  LaneBatch batch;
  batch.lane = "lane";
  batch.items = std::move(items);
  auto calls = PlanApiCalls(batch, options);
  EXPECT_TRUE(calls.ok());
  return calls.ok() ? *calls : std::vector<PlannedCall>{};
}

// "insert 3 p1 @2": kind, rows, partition of a delete, items done.
std::string Text(const std::vector<PlannedCall>& calls) {
  std::string text;
  for (const PlannedCall& call : calls) {
    const char* kinds[] = {"replicate", "insert", "upsert", "delete"};
    text += kinds[static_cast<int>(call.kind)];
    text += " " + std::to_string(call.rows);
    if (call.kind == Kind::kDelete) text += " '" + call.partition + "' " + call.expression;
    text += " @" + std::to_string(call.items_done) + "; ";
  }
  return text;
}

TEST(ApiPlanTest, NeighbouringInsertsOfDifferentKeysShareACall) {
  EXPECT_EQ(Text(Plan({Item(Insert({1}, 10, kP1), "p1"), Item(Insert({2, 3}, 11, kP1), "p1")})),
            "insert 3 @2; ");
}

TEST(ApiPlanTest, EqualKeysOfDifferentTimesNeverShareACall) {
  EXPECT_EQ(Text(Plan({Item(Insert({1}, 10, kP1), "p1"), Item(Insert({2, 1}, 11, kP1), "p1")})),
            "insert 1 @1; insert 2 @2; ");
}

TEST(ApiPlanTest, InsertsOfTwoPartitionsAreOneCallEach) {
  EXPECT_EQ(Text(Plan({Item(Insert({1}, 10, kP1), "p1"), Item(Insert({1}, 11, 72), "p2"),
                       Item(Insert({2}, 12, kP1), "p1"), Item(Insert({3}, 13, 72), "p2")})),
            "insert 2 @0; insert 2 @4; ");
}

TEST(ApiPlanTest, ABoundedCall) {
  ApiPlanOptions options;
  options.max_bytes = Insert({1}, 10, kP1).payload.bytes.size() * 2 + 1;
  EXPECT_EQ(Text(Plan({Item(Insert({1}, 10, kP1), "p1"), Item(Insert({2}, 11, kP1), "p1"),
                       Item(Insert({3}, 12, kP1), "p1")},
                      options)),
            "insert 2 @2; insert 1 @3; ");
}

TEST(ApiPlanTest, CallsOfDifferentRowsFormAGroup) {
  ApiPlanOptions options;
  options.max_bytes = Insert({1}, 10, kP1).payload.bytes.size() + 1;
  const auto calls = Plan({Item(Insert({1}, 10, kP1), "p1"), Item(Insert({2}, 11, kP1), "p1"),
                           Item(Insert({1}, 12, 72), "p2"), Item(Insert({1}, 13, kP1), "p1"),
                           Item(Delete({2}, 14, kP1), "p1"), Item(Delete({3}, 15, 72), "p2")},
                          options);
  EXPECT_EQ(Text(calls),
            "insert 1 @0; insert 1 @0; insert 1 @3; insert 1 @4; "
            "delete 1 'p1' id in [2] @4; delete 1 'p2' id in [3] @6; ");
  std::vector<size_t> groups;
  for (const PlannedCall& call : calls) groups.push_back(call.group);
  EXPECT_EQ(groups[0], groups[1]);
  EXPECT_EQ(groups[0], groups[2]);
  EXPECT_LT(groups[2], groups[3]);  // key 1 of p1 again
  EXPECT_LT(groups[3], groups[4]);
  EXPECT_EQ(groups[4], groups[5]);
}

TEST(ApiPlanTest, ADeleteStaysBetweenTheInserts) {
  EXPECT_EQ(Text(Plan({Item(Insert({1}, 10, kP1), "p1"), Item(Delete({1}, 11, kAllPartitions), ""),
                       Item(Insert({1}, 12, kP1), "p1")})),
            "insert 1 @1; delete 1 '' id in [1] @2; insert 1 @3; ");
}

TEST(ApiPlanTest, NeighbouringDeletesShareACallPerPartition) {
  EXPECT_EQ(Text(Plan({Item(Delete({1}, 10, kP1), "p1"), Item(Delete({2}, 11, kP1), "p1"),
                       Item(Delete({3}, 12, kAllPartitions), "p1")})),
            "delete 2 'p1' id in [1,2] @0; delete 1 '' id in [3] @3; ");
}

TEST(ApiPlanTest, ADeleteNamesNoPartitionOfAPartitionKeyCollection) {
  EXPECT_EQ(Text(Plan({Item(Delete({1}, 10, kP1), "p1", false, true)})),
            "delete 1 '' id in [1] @1; ");
}

TEST(ApiPlanTest, DeleteAndInsertOfOneTimeBecomeAnUpsert) {
  EXPECT_EQ(Text(Plan({Item(Delete({1, 2}, 10, kP1), "p1"), Item(Insert({2, 1}, 10, kP1), "p1")})),
            "upsert 2 @2; ");
}

TEST(ApiPlanTest, UpsertsOfDifferentKeysShareACall) {
  EXPECT_EQ(Text(Plan({Item(Delete({1}, 10, kP1), "p1"), Item(Insert({1}, 10, kP1), "p1"),
                       Item(Delete({2}, 11, kP1), "p1"), Item(Insert({2}, 11, kP1), "p1"),
                       Item(Delete({1}, 12, kP1), "p1"), Item(Insert({1}, 12, kP1), "p1")})),
            "upsert 2 @4; upsert 1 @6; ");
}

TEST(ApiPlanTest, AnUpsertOverPartitionsOfAPartitionKey) {
  EXPECT_EQ(Text(Plan({Item(Delete({1, 2}, 10, kAllPartitions), "", false, true),
                       Item(Insert({1}, 10, kP1), "p1", false, true),
                       Item(Insert({2}, 10, 72), "p2", false, true)})),
            "upsert 2 @3; ");
}

TEST(ApiPlanTest, AnUpsertOfSeveralMessagesThatNoCallTakesIsDeleteAndInserts) {
  ApiPlanOptions options;
  options.max_bytes = options.max_upsert_bytes = Insert({1}, 10, kP1).payload.bytes.size() + 1;
  const auto calls = Plan(
      {Item(Delete({1, 2}, 10, kAllPartitions), "", false, true),
       Item(Insert({1}, 10, kP1), "p1", false, true), Item(Insert({2}, 10, 72), "p2", false, true)},
      options);
  EXPECT_EQ(Text(calls), "delete 2 '' id in [1,2] @1; insert 1 @2; insert 1 @3; ");
}

// What a call carries decides what is sent again when another one of its group was too large.
TEST(ApiPlanTest, EveryCallKnowsItsItems) {
  const auto calls = Plan({Item(Insert({1}, 10, kP1), "p1"), Item(Insert({2}, 11, 72), "p2"),
                           Item(Insert({3}, 12, kP1), "p1"), Item(Insert({4}, 13, kP1), "p1"),
                           Item(Delete({1}, 14, kP1), "p1"), Item(Insert({1}, 14, kP1), "p1"),
                           Item(Delete({9}, 15, kP1), "p1")});
  std::string text;
  for (const PlannedCall& call : calls) {
    for (const ItemRange& range : call.carries) {
      text += std::to_string(range.begin) + "-" + std::to_string(range.end) + " ";
    }
    text += call.divisible ? "divisible; " : "whole; ";
  }
  EXPECT_EQ(text, "0-1 2-4 divisible; 1-2 whole; 4-6 whole; 6-7 whole; ");
}

TEST(ApiPlanTest, WhatIsNoUpsertStaysDeleteAndInsert) {
  const std::string apart = "delete 1 'p1' id in [1] @1; insert 1 @2; ";
  // another time
  EXPECT_EQ(Text(Plan({Item(Delete({1}, 10, kP1), "p1"), Item(Insert({1}, 11, kP1), "p1")})),
            apart);
  // other keys
  EXPECT_EQ(Text(Plan({Item(Delete({1}, 10, kP1), "p1"), Item(Insert({2}, 10, kP1), "p1")})),
            apart);
  // another partition
  EXPECT_EQ(Text(Plan({Item(Delete({1}, 10, kP1), "p1"), Item(Insert({1}, 10, 72), "p2")})), apart);
  // a delete everywhere
  EXPECT_EQ(
      Text(Plan({Item(Delete({1}, 10, kAllPartitions), ""), Item(Insert({1}, 10, kP1), "p1")})),
      "delete 1 '' id in [1] @1; insert 1 @2; ");
  // a key twice
  EXPECT_EQ(Text(Plan({Item(Delete({9, 9}, 10, kP1), "p1"), Item(Insert({9, 9}, 10, kP1), "p1")})),
            "delete 2 'p1' id in [9,9] @1; insert 2 @2; ");
}

TEST(ApiPlanTest, AReplayedInsertIsAnUpsert) {
  EXPECT_EQ(Text(Plan({Item(Insert({1, 2}, 10, kP1), "p1", true)})), "upsert 2 @1; ");
}

TEST(ApiPlanTest, AReplayedInsertWithAKeyTwiceIsDeleteAndInsert) {
  EXPECT_EQ(Text(Plan({Item(Insert({1, 1}, 10, kP1), "p1", true)})),
            "delete 2 'p1' id in [1,1] @0; insert 2 @1; ");
}

TEST(ApiPlanTest, AReplayedInsertOfAPartitionKeyIsDeleteAndInsert) {
  EXPECT_EQ(Text(Plan({Item(Insert({1}, 10, kP1), "p1", true, true)})),
            "delete 1 '' id in [1] @0; insert 1 @1; ");
}

TEST(ApiPlanTest, NoUpsertWhereItWouldKeepOldDynamicFields) {
  std::vector<LaneItem> items = {Item(Delete({1}, 10, kP1), "p1"), Item(Insert({1}, 10, kP1), "p1"),
                                 Item(Insert({2}, 11, kP1), "p1", true)};
  for (LaneItem& item : items) {
    auto to = std::make_shared<TargetAddressOfRows>(*item.to);
    to->milvus_lite = true;
    item.to = to;
  }
  EXPECT_EQ(Text(Plan(items)).find("upsert"), std::string::npos) << Text(Plan(items));
}

TEST(ApiPlanTest, DropsNeedNoCall) {
  Change drop;
  drop.kind = ChangeKind::kDropPartition;
  EXPECT_EQ(Text(Plan({Item(Insert({1}, 10, kP1), "p1"), Item(drop, "p1"),
                       Item(Insert({2}, 12, kP1), "p1")})),
            "insert 2 @3; ");
}

// Reads the column `name` of a request: its values, joined.
std::string ValuesOf(const std::string& request, const std::string& name) {
  std::string values;
  WireReader fields(request);
  while (fields.Next()) {
    if (!fields.Is(5, WireType::kBytes)) continue;
    WireReader column(fields.bytes());
    std::string_view column_name;
    std::string inner;
    while (column.Next()) {
      if (column.Is(2, WireType::kBytes)) column_name = column.bytes();
      if (column.field() != 3 && column.field() != 4) continue;
      WireReader kinds(column.bytes());
      while (kinds.Next()) {
        if (kinds.type() != WireType::kBytes) continue;
        WireReader array(kinds.bytes());
        while (array.Next()) inner += array.bytes();
        EXPECT_TRUE(array.ok());
      }
    }
    if (column_name == name) values += inner;
  }
  EXPECT_TRUE(fields.ok());
  return values;
}

TEST(MergeRowsTest, JoinsColumnsInRowOrder) {
  const Change a = Insert({1, 2}, 10, kP1), b = Insert({300}, 11, kP1);
  const auto to = Address("p1");
  MergedRows merged(to.get());
  ASSERT_TRUE(merged.Add(std::vector<const Change*>{&a}));
  ASSERT_TRUE(merged.Add(std::vector<const Change*>{&b}));
  const std::string bytes = merged.Request(RowsCall::kInsert).Join();
  EXPECT_EQ(ValuesOf(bytes, "id"), std::string("\x01\x02\xac\x02"));
  EXPECT_EQ(ValuesOf(bytes, "v"), rows_for_tests::Floats({1, 2, 300}));
  EXPECT_EQ(ValuesOf(bytes, "t"), "t1t2t300");
  WireReader reader(bytes);
  uint64_t rows = 0;
  while (reader.Next()) {
    if (reader.Is(7, WireType::kVarint)) rows = reader.number();
  }
  EXPECT_EQ(rows, 3u);
}

TEST(MergeRowsTest, OtherColumnsAreNotJoined) {
  const Change a = Insert({1}, 10, kP1);
  WireWriter extended;
  extended.Raw(a.payload.bytes);
  extended.Bytes(13, rows_for_tests::Column(5, "more", 103, ""));
  Change b = a;
  b.payload = Slice::Own(extended.Take());
  const auto to = Address("p1");
  for (const auto& [first, second] : {std::pair<const Change*, const Change*>(&a, &b), {&b, &a}}) {
    MergedRows merged(to.get());
    ASSERT_TRUE(merged.Add(std::vector<const Change*>{first}));
    const std::string alone = merged.Request(RowsCall::kInsert).Join();
    EXPECT_FALSE(merged.Add(std::vector<const Change*>{second}));
    EXPECT_FALSE(merged.Add(std::vector<const Change*>{first, second}));
    EXPECT_EQ(merged.Request(RowsCall::kInsert).Join(), alone) << "nothing was added";
    EXPECT_TRUE(merged.Add(std::vector<const Change*>{first, first}));
    EXPECT_EQ(merged.rows(), 3u);
  }
}

}  // namespace
}  // namespace cdc
