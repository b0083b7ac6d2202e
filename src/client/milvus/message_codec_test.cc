#include "client/milvus/message_codec.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "client/milvus/golden_for_tests.h"
#include "milvus/msg.pb.h"

namespace cdc {
namespace {

using namespace golden;  // NOLINT: the golden messages are what these tests are about

std::string ToText(const PrimaryKeys& keys) {
  std::ostringstream out;
  const char* comma = "";
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&keys)) {
    out << "i:";
    for (const int64_t key : *integers) out << std::exchange(comma, ",") << key;
    return out.str();
  }
  out << "s:" << std::hex;
  for (const std::string& key : std::get<std::vector<std::string>>(keys)) {
    out << std::exchange(comma, ",");
    for (const char c : key) {
      const int byte = static_cast<uint8_t>(c);
      out << (byte >> 4) << (byte & 15);
    }
  }
  return out.str();
}

Change Decode(const Golden& golden) {
  auto change = DecodeMessage({0, 42}, golden.payload);
  EXPECT_TRUE(change.ok()) << golden.name << ": " << change.error().message;
  return change.ok() ? *change : Change{};
}

TEST(MessageCodec, ReadsTheLeadingFieldsOfRealMessages) {
  std::map<int32_t, int> kinds;
  for (const Golden& golden : AllGolden()) {
    SCOPED_TRACE(golden.name);
    if (IsOperation(golden)) continue;
    const Change change = Decode(golden);
    ++kinds[golden.msg_type];
    EXPECT_EQ(change.msg_type, golden.msg_type);
    EXPECT_EQ(change.ts, golden.ts);
    EXPECT_EQ(change.msg_id, golden.msg_id);
    EXPECT_EQ(change.collection_id, golden.collection);
    EXPECT_EQ(change.partition_id, golden.partition);
    EXPECT_EQ(change.shard, golden.shard.empty() ? -1 : ShardIndex(golden.shard));
    EXPECT_EQ(change.num_rows, golden.rows);
    EXPECT_EQ(change.id.minor, 42U);
    if (!HasRows(golden)) continue;
    const auto keys = ReadPrimaryKeys(change, Address(golden));
    ASSERT_TRUE(keys.ok()) << keys.error().message;
    EXPECT_EQ(ToText(*keys), golden.keys);
  }
  for (const int32_t type : {100, 101, 201, 400, 401, 1200}) EXPECT_GT(kinds[type], 0) << type;
}

TEST(MessageCodec, ReadsOperations) {
  int flushes = 0;
  int others = 0;
  for (const Golden& golden : AllGolden()) {
    if (!IsOperation(golden)) continue;
    SCOPED_TRACE(golden.name);
    const auto operation = DecodeOperation({0, 5}, golden.payload.bytes);
    ASSERT_TRUE(operation.ok());
    EXPECT_EQ(operation->msg_type, golden.msg_type);
    EXPECT_EQ(operation->ts, golden.ts);
    EXPECT_EQ(operation->is_flush, golden.msg_type == 402);
    (operation->is_flush ? flushes : others)++;
    if (!operation->is_flush) continue;
    EXPECT_EQ(operation->database, golden.shard);
    ASSERT_EQ(operation->collections.size(), 1U);
    EXPECT_EQ("c:" + operation->collections[0], golden.keys);
  }
  EXPECT_EQ(flushes, 3);
  EXPECT_GE(others, 3);
}

// The operations that a version writes, and when it began to: 2.5.12 with aliases, rename and the
// rest of RBAC. Those that a proxy handles without a queue have no timestamp.
TEST(MessageCodec, ReadsEveryRecordedOperation) {
  const std::map<std::string, std::set<int32_t>> expected = {
      {"2.4.21",
       {106, 107, 206, 300, 302, 304, 402, 1500, 1502, 1503, 1600, 1601, 1602, 1606, 1801, 1802,
        1804}},
      {"2.5.15", {106,  107,  108,  109,  110,  111,  112,  115,  206,  300,  302,  304,  402,
                  1500, 1502, 1503, 1600, 1601, 1602, 1606, 1610, 1613, 1614, 1801, 1802, 1804}},
  };
  for (const auto& [version, types] : expected) {
    std::set<int32_t> found;
    for (const Recorded& message : LoadRecording(version)) {
      if (message.topic.find("replicate-msg") == std::string::npos) continue;
      const auto operation = DecodeOperation({0, message.offset}, message.payload.bytes);
      ASSERT_TRUE(operation.ok()) << operation.error().message;
      EXPECT_EQ(operation->id.minor, message.offset);
      found.insert(operation->msg_type);
      EXPECT_EQ(operation->collections.size(), operation->is_flush ? 1U : 0U);
    }
    EXPECT_EQ(found, types) << version;
  }
}

// Passwords are as the clients sent them: base64. Both versions were given the same calls.
TEST(MessageCodec, ReadsWhatIsSaidOfUsers) {
  for (const char* version : {"2.4.21", "2.5.15"}) {
    std::vector<std::string> said;
    for (const Recorded& message : LoadRecording(version)) {
      if (message.topic.find("replicate-msg") == std::string::npos) continue;
      const auto operation = DecodeOperation({0, message.offset}, message.payload.bytes);
      ASSERT_TRUE(operation.ok());
      if (!operation->credential) continue;
      const CredentialOperation& credential = *operation->credential;
      said.push_back(std::to_string(operation->msg_type) + " " + credential.user + " " +
                     credential.old_password + ">" + credential.password);
    }
    EXPECT_EQ(said, (std::vector<std::string>{"1500 u1 >UEBzc3cwcmQx",
                                              "1503 u1 UEBzc3cwcmQx>TjN3UEBzc3cwcmQ=",
                                              "1500 u2 >UEBzc3cwcmQx", "1502 u2 >"}))
        << version;
  }
}

TEST(MessageCodec, ReadsEveryRecordedMessageOfTheChannels) {
  for (const char* version : {"2.4.21", "2.5.15"}) {
    std::map<ChangeKind, int> kinds;
    for (const Recorded& message : LoadRecording(version)) {
      if (message.topic.find("-dml_") == std::string::npos) continue;
      const auto change = DecodeMessage({0, message.offset}, message.payload);
      ASSERT_TRUE(change.ok()) << change.error().message;
      EXPECT_NE(change->kind, ChangeKind::kOther) << change->msg_type;
      ++kinds[change->kind];
      // Only what a proxy produces says its type in a header; broadcasts and ticks never do.
      const bool rows = change->kind == ChangeKind::kInsert || change->kind == ChangeKind::kDelete;
      EXPECT_EQ(message.headers.find("msg_type=") != std::string::npos, rows);
      EXPECT_GT(change->ts, 0U);
    }
    for (const ChangeKind kind :
         {ChangeKind::kInsert, ChangeKind::kDelete, ChangeKind::kCreateCollection,
          ChangeKind::kDropCollection, ChangeKind::kDropPartition}) {
      EXPECT_GT(kinds[kind], 0) << version;
    }
  }
}

TEST(MessageCodec, AnUpsertTakesItsTimeFromTheRows) {
  int upserts = 0;
  for (const Golden& golden : AllGolden()) {
    if (golden.name.find("upsert_insert") == std::string::npos) continue;
    wire::InsertMessage message;
    ASSERT_TRUE(message.ParseFromString(std::string(golden.payload.bytes)));
    EXPECT_EQ(message.base().timestamp(), 0U);
    EXPECT_GT(Decode(golden).ts, 0U);
    // Rewritten without a new stamp it still gets a base.timestamp.
    wire::InsertMessage rewritten;
    ASSERT_TRUE(rewritten.ParseFromString(
        RewriteInsert(Decode(golden), Address(golden), golden.ts).Join()));
    EXPECT_EQ(rewritten.base().timestamp(), golden.ts);
    ++upserts;
  }
  EXPECT_EQ(upserts, 3);
}

template <typename Message>
void ExpectAddressed(const Message& message, const TargetAddressOfRows& to, Timestamp stamp,
                     uint64_t rows) {
  EXPECT_EQ(message.base().timestamp(), stamp);
  EXPECT_EQ(message.base().properties_size(), 0);
  EXPECT_EQ(message.shard_name(), to.vchannel);
  EXPECT_EQ(message.db_name(), to.name.database);
  EXPECT_EQ(message.collection_name(), to.name.collection);
  EXPECT_EQ(message.collection_id(), to.collection_id);
  EXPECT_EQ(static_cast<uint64_t>(message.num_rows()), rows);
  ASSERT_EQ(static_cast<uint64_t>(message.timestamps_size()), rows);
  for (const uint64_t ts : message.timestamps()) EXPECT_EQ(ts, stamp);
}

TEST(MessageCodec, RewritesInsertsAroundUntouchedColumns) {
  for (const Golden& golden : AllGolden()) {
    if (golden.msg_type != 400) continue;
    SCOPED_TRACE(golden.name);
    const Change change = Decode(golden);
    const TargetAddressOfRows to = Address(golden);
    wire::InsertMessage before;
    ASSERT_TRUE(before.ParseFromString(std::string(golden.payload.bytes)));
    for (const Timestamp stamp : {golden.ts, golden.ts + 12345}) {
      const Slices slices = RewriteInsert(change, to, stamp);
      wire::InsertMessage after;
      ASSERT_TRUE(after.ParseFromString(slices.Join()));
      ExpectAddressed(after, to, stamp, golden.rows);
      EXPECT_EQ(after.partition_name(), "part");
      EXPECT_EQ(after.partition_id(), 7002);
      EXPECT_EQ(after.segment_id(), 0);
      EXPECT_EQ(after.base().msg_type(), 400);
      EXPECT_EQ(after.base().msg_id() == golden.msg_id, stamp == golden.ts);
      EXPECT_EQ(after.version(), before.version());
      ASSERT_EQ(after.fields_data_size(), before.fields_data_size());
      for (int i = 0; i < before.fields_data_size(); ++i) {
        EXPECT_EQ(after.fields_data(i), before.fields_data(i));
      }
      EXPECT_TRUE(std::equal(after.row_ids().begin(), after.row_ids().end(),
                             before.row_ids().begin(), before.row_ids().end()));
      // All but the first piece are the payload itself, not copies of it.
      for (size_t i = 1; i < slices.pieces().size(); ++i) {
        EXPECT_EQ(slices.pieces()[i].owner, golden.payload.owner);
      }
    }
  }
}

TEST(MessageCodec, RewritesDeletesAndKeepsAllPartitionsOnlyWhereTheSourceSaidSo) {
  int all_partitions = 0;
  for (const Golden& golden : AllGolden()) {
    if (golden.msg_type != 401) continue;
    SCOPED_TRACE(golden.name);
    const TargetAddressOfRows to = Address(golden);
    for (const Timestamp stamp : {golden.ts, golden.ts + 1}) {
      const Slices slices = RewriteDelete(Decode(golden), to, stamp);
      wire::DeleteMessage after;
      ASSERT_TRUE(after.ParseFromString(slices.Join()));
      ExpectAddressed(after, to, stamp, golden.rows);
      const bool all = golden.partition == kAllPartitions;
      all_partitions += all ? 1 : 0;
      EXPECT_EQ(after.partition_id(), all ? -1 : 7002);
      EXPECT_EQ(after.partition_name(), all ? "" : "part");
      const auto again = DecodeMessage({0, 1}, Slice::Own(slices.Join()));
      ASSERT_TRUE(again.ok());
      EXPECT_EQ(ToText(*ReadPrimaryKeys(*again, to)), golden.keys);
    }
  }
  EXPECT_GT(all_partitions, 0);
}

TEST(MessageCodec, EncodesMessagesOfItsOwn) {
  const TargetAddressOfRows to = Address({});
  for (const PrimaryKeys& keys : {PrimaryKeys(std::vector<int64_t>{-5, 0, 1LL << 60}),
                                  PrimaryKeys(std::vector<std::string>{"", "a\0b", "ü"})}) {
    wire::DeleteMessage message;
    const std::string bytes = EncodeDelete(to, keys, 999, 77).Join();
    ASSERT_TRUE(message.ParseFromString(bytes));
    ExpectAddressed(message, to, 999, 3);
    EXPECT_EQ(message.base().msg_id(), 77);
    EXPECT_EQ(message.base().msg_type(), 401);
    EXPECT_EQ(message.partition_id(), 7002);
    const auto change = DecodeMessage({0, 1}, Slice::Own(bytes));
    ASSERT_TRUE(change.ok()) << change.error().message;
    EXPECT_EQ(ToText(*ReadPrimaryKeys(*change, to)), ToText(keys));
  }
  wire::TimeTickMessage tick;
  ASSERT_TRUE(tick.ParseFromString(EncodeTimeTick(555).Join()));
  EXPECT_EQ(tick.base().msg_type(), 1200);
  EXPECT_EQ(tick.base().timestamp(), 555U);
  wire::DropCollectionMessage collection;
  ASSERT_TRUE(collection.ParseFromString(EncodeDropCollection(to, 556).Join()));
  EXPECT_EQ(collection.base().msg_type(), 101);
  EXPECT_EQ(collection.base().timestamp(), 556U);
  EXPECT_EQ(collection.collection_name(), "target_coll");
  EXPECT_EQ(collection.collection_id(), 7001);
  wire::DropPartitionMessage partition;
  ASSERT_TRUE(partition.ParseFromString(EncodeDropPartition(to, 557).Join()));
  EXPECT_EQ(partition.base().msg_type(), 201);
  EXPECT_EQ(partition.partition_name(), "part");
  EXPECT_EQ(partition.partition_id(), 7002);
  EXPECT_EQ(partition.collection_id(), 7001);
}

TEST(MessageCodec, WrapsMessagesIntoAReplicateRequest) {
  wire::ReplicateMessageRequest request;
  const std::vector<Slices> messages{EncodeTimeTick(1), EncodeTimeTick(2)};
  ASSERT_TRUE(request.ParseFromString(ReplicateRequest("chan", 1, 2, messages).Join()));
  EXPECT_TRUE(request.base().replicate_info().is_replicate());
  EXPECT_EQ(request.channel_name(), "chan");
  EXPECT_EQ(request.begin_ts(), 1U);
  EXPECT_EQ(request.end_ts(), 2U);
  ASSERT_EQ(request.msgs_size(), 2);
  EXPECT_EQ(request.msgs(0), messages[0].Join());
  EXPECT_EQ(request.msgs(1), messages[1].Join());
}

bool HasNulls(const std::string& column) {
  WireReader reader(column);
  while (reader.Next()) {
    if (reader.field() == 7 && reader.bytes().find('\0') != std::string::npos) return true;
  }
  return false;
}

TEST(MessageCodec, InsertRequestsCarryTheColumnsUntouched) {
  for (const Golden& golden : AllGolden()) {
    if (golden.msg_type != 400) continue;
    SCOPED_TRACE(golden.name);
    TargetAddressOfRows to = Address(golden);
    wire::InsertMessage before;
    ASSERT_TRUE(before.ParseFromString(std::string(golden.payload.bytes)));
    for (const bool partition_key : {false, true}) {
      to.partition_key = partition_key;
      wire::InsertRowsRequest request;
      ASSERT_TRUE(request.ParseFromString(InsertRequest(Decode(golden), to).Join()));
      EXPECT_EQ(request.db_name(), "target_db");
      EXPECT_EQ(request.collection_name(), "target_coll");
      EXPECT_EQ(request.partition_name(), partition_key ? "" : "part");
      EXPECT_EQ(request.num_rows(), golden.rows);
      EXPECT_EQ(request.base().msg_type(), 400);
      EXPECT_EQ(UpsertRequest(Decode(golden), to).size(), request.ByteSizeLong());
      ASSERT_EQ(request.fields_data_size(), before.fields_data_size());
      for (int i = 0; i < before.fields_data_size(); ++i) {
        if (HasNulls(before.fields_data(i))) continue;  // message_columns_test.cc
        EXPECT_EQ(request.fields_data(i), before.fields_data(i));
      }
    }
  }
}

TEST(MessageCodec, ADynamicColumnWithoutItsFlagGetsIt) {
  wire::FieldData column;
  column.set_field_name("$meta");
  wire::InsertMessage message;
  message.mutable_base()->set_msg_type(400);
  message.set_shard_name("p_1v0");
  message.set_collection_id(1);
  message.set_num_rows(1);
  message.add_timestamps(5);
  message.add_fields_data(column.SerializeAsString());
  const auto change = DecodeMessage({0, 1}, Slice::Own(message.SerializeAsString()));
  ASSERT_TRUE(change.ok());
  wire::InsertRowsRequest request;
  ASSERT_TRUE(request.ParseFromString(InsertRequest(*change, Address({})).Join()));
  wire::FieldData sent;
  ASSERT_TRUE(sent.ParseFromString(request.fields_data(0)));
  EXPECT_TRUE(sent.is_dynamic());
  EXPECT_EQ(sent.field_name(), "$meta");
}

TEST(MessageCodec, DerivedIdsDiffer) {
  EXPECT_EQ(DeriveMessageId(1, 2, 0), DeriveMessageId(1, 2, 0));
  EXPECT_NE(DeriveMessageId(1, 2, 0), DeriveMessageId(1, 2, 1));
  EXPECT_NE(DeriveMessageId(1, 2, 0), DeriveMessageId(1, 3, 0));
  EXPECT_NE(DeriveMessageId(1, 2, 0), DeriveMessageId(2, 2, 0));
  EXPECT_GT(DeriveMessageId(-1, ~0ULL, ~0ULL), 0);
}

TEST(MessageCodec, DeleteExpressionsQuoteAndSplit) {
  TargetAddressOfRows to;
  to.primary_key_name = "pk";
  const PrimaryKeys strings(std::vector<std::string>{"a\"b", "c\\d", "e\nf\tg", "\x01\r\x7f", "ü"});
  EXPECT_EQ(DeleteExpressions(strings, to, 1000),
            std::vector<std::string>{
                "pk in [\"a\\\"b\",\"c\\\\d\",\"e\\nf\\tg\",\"\x01\\r\x7f\",\"ü\"]"});
  to.primary_key_name = "id";
  const PrimaryKeys lowest(std::vector<int64_t>{INT64_MIN});
  EXPECT_EQ(DeleteExpressions(lowest, to, 100)[0], "id in [-9223372036854775807-1]");
  to.milvus_lite = true;
  EXPECT_EQ(DeleteExpressions(lowest, to, 100)[0], "id in [-9223372036854775808]");
  const PrimaryKeys numbers(std::vector<int64_t>{1, -2, 3000});
  EXPECT_EQ(DeleteExpressions(numbers, to, 1000), std::vector<std::string>{"id in [1,-2,3000]"});
  EXPECT_EQ(DeleteExpressions(numbers, to, 12),
            (std::vector<std::string>{"id in [1,-2]", "id in [3000]"}));
  EXPECT_EQ(DeleteExpressions(numbers, to, 1).size(), 3U);
  EXPECT_TRUE(DeleteExpressions(PrimaryKeys(std::vector<int64_t>{}), to, 100).empty());
}

TEST(MessageCodec, SaysWhatIsWrong) {
  const auto message_of = [](std::string bytes) {
    const auto change = DecodeMessage({0, 3}, Slice::Own(bytes));
    return change.ok() ? std::string("accepted") : change.error().message;
  };
  EXPECT_NE(message_of("\xFF\xFE\xFD\xFCSTREAM...").find("streaming service"), std::string::npos);
  EXPECT_NE(message_of("").find("no message type"), std::string::npos);
  wire::InsertMessage message;
  message.mutable_base()->set_msg_type(400);
  EXPECT_NE(message_of(message.SerializeAsString()).find("no collection"), std::string::npos);
  message.set_collection_id(1);
  EXPECT_NE(message_of(message.SerializeAsString()).find("no shard"), std::string::npos);
  message.set_shard_name("p_1v0");
  EXPECT_NE(message_of(message.SerializeAsString()).find("no timestamps"), std::string::npos);
  message.add_timestamps(5);
  message.set_num_rows(2);
  EXPECT_NE(message_of(message.SerializeAsString()).find("2 rows has 1 timestamps"),
            std::string::npos);
  message.set_num_rows(1);
  EXPECT_NE(message_of(message.SerializeAsString()).find("without columns"), std::string::npos);
  (*message.mutable_base()->mutable_properties())["_v"] = "1";
  EXPECT_NE(message_of(message.SerializeAsString()).find("streaming service"), std::string::npos);
}

TEST(MessageCodec, UnknownTypesPassAsOther) {
  wire::TimeTickMessage message;
  message.mutable_base()->set_msg_type(2999);
  message.mutable_base()->set_timestamp(8);
  const auto change = DecodeMessage({0, 3}, Slice::Own(message.SerializeAsString()));
  ASSERT_TRUE(change.ok());
  EXPECT_EQ(change->kind, ChangeKind::kOther);
  EXPECT_EQ(change->msg_type, 2999);
  EXPECT_EQ(change->ts, 8U);
}

TEST(MessageCodec, AnImportNamesItsCollection) {
  WireWriter base;
  base.Varint(1, 408);
  base.Varint(3, 8);
  WireWriter message;
  message.Bytes(1, base.str());
  message.Bytes(3, "coll");
  message.Varint(4, 77);
  const auto change = DecodeMessage({0, 3}, Slice::Own(message.str()));
  ASSERT_TRUE(change.ok());
  EXPECT_EQ(change->kind, ChangeKind::kOther);
  EXPECT_EQ(change->msg_type, kImportMsgType);
  EXPECT_EQ(change->collection_id, 77);
}

TEST(MessageCodec, DecodesNumericIds) {
  EXPECT_EQ(DecodeNumericId(std::string("\x01\x02\0\0\0\0\0\0", 8))->minor, 0x201U);
  EXPECT_FALSE(DecodeNumericId("short").ok());
  EXPECT_EQ(EncodeNumericId({0, 0x0201}), std::string("\x01\x02\0\0\0\0\0\0", 8));
}

}  // namespace
}  // namespace cdc
