#include "client/milvus/message_columns.h"

#include <gtest/gtest.h>

#include <map>

#include "client/milvus/golden_for_tests.h"
#include "client/milvus/message_codec.h"
#include "milvus/msg.pb.h"

namespace cdc {
namespace {

using namespace golden;  // NOLINT: the golden messages are what these tests are about

struct Column {
  int type = 0;
  std::string values;  // of the one array in it
  uint32_t kind = 0;
  std::string valid;  // one byte a row
};

std::map<std::string, Column> ColumnsOf(const wire::InsertRowsRequest& request) {
  std::map<std::string, Column> columns;
  for (const std::string& bytes : request.fields_data()) {
    wire::FieldData data;
    EXPECT_TRUE(data.ParseFromString(bytes));
    Column& column = columns[data.field_name()];
    column.type = data.type();
    WireReader reader(bytes);
    while (reader.Next()) {
      if (reader.field() == 7) column.valid = reader.bytes();
      if (reader.field() != 3) continue;
      WireReader kinds(reader.bytes());
      while (kinds.Next()) {
        column.kind = kinds.field();
        column.values = kinds.bytes();
      }
    }
  }
  return columns;
}

// The recorded insert of ten rows (keys below) with every type that may be nullable in 2.5.
class NullableColumns : public testing::Test {
 protected:
  void SetUp() override {
    for (Golden& golden : LoadGolden("2.5.15")) {
      if (golden.name.find("insert_every_type") == std::string::npos) continue;
      golden_ = golden;
      change_ = *DecodeMessage({0, 1}, golden.payload);
    }
    ASSERT_EQ(change_.num_rows, 10U);
    to_ = Address(golden_);
    to_.with_default = {101, 103, 107, 108};  // b, i16, d, vc
    const auto keys = ReadPrimaryKeys(change_, to_);
    ASSERT_TRUE(keys.ok());
    keys_ = std::get<std::vector<int64_t>>(*keys);
    wire::InsertRowsRequest request;
    ASSERT_TRUE(request.ParseFromString(InsertRequest(change_, to_).Join()));
    columns_ = ColumnsOf(request);
  }

  // "1" where the row's key makes it valid.
  std::string Valid(bool (*is_null)(int64_t)) const {
    std::string valid;
    for (const int64_t key : keys_) valid.push_back(is_null(key) ? '\0' : '\1');
    return valid;
  }
  static size_t Count(const std::string& valid) {
    return std::count(valid.begin(), valid.end(), '\1');
  }
  // How many elements the array holds: packed ones of `size` bytes (0: varints), or messages.
  static size_t Elements(const Column& column, size_t size) {
    size_t count = 0;
    WireReader reader(column.values);
    while (reader.Next()) {
      if (reader.field() != 1) continue;
      if (column.kind > 5) {
        ++count;
      } else if (size > 0) {
        count += reader.bytes().size() / size;
      } else {
        EXPECT_TRUE(ForEachVarint(reader, [&](uint64_t) { ++count; }));
      }
    }
    EXPECT_TRUE(reader.ok());
    return count;
  }

  Golden golden_;
  Change change_;
  TargetAddressOfRows to_;
  std::vector<int64_t> keys_;
  std::map<std::string, Column> columns_;
};

TEST_F(NullableColumns, HoldOnlyTheValuesThatAreThere) {
  struct Expected {
    const char* name;
    bool (*is_null)(int64_t key);  // as the recorded rows were made
    size_t size;
  };
  const Expected all[] = {
      {"i8", [](int64_t key) { return key % 3 == 0; }, 0},
      {"i32", [](int64_t key) { return key % 2 != 0; }, 0},
      {"f", [](int64_t key) { return key % 5 == 0; }, 4},
      {"js", [](int64_t key) { return key % 7 == 0; }, 0},
      {"ai", [](int64_t key) { return key % 6 == 0; }, 0},
  };
  for (const Expected& expected : all) {
    const Column& column = columns_.at(expected.name);
    EXPECT_EQ(column.valid, Valid(expected.is_null)) << expected.name;
    EXPECT_LT(Count(column.valid), 10U) << expected.name;
    EXPECT_EQ(Elements(column, expected.size), Count(column.valid)) << expected.name;
  }
  // The values that are left are the rows' own.
  std::vector<int64_t> expected;
  for (const int64_t key : keys_) {
    if (key % 3 != 0) expected.push_back(key % 100);
  }
  std::vector<int64_t> found;
  WireReader reader(columns_.at("i8").values);
  while (reader.Next()) {
    ASSERT_TRUE(ForEachVarint(
        reader, [&](uint64_t value) { found.push_back(static_cast<int64_t>(value)); }));
  }
  EXPECT_EQ(found, expected);
}

TEST_F(NullableColumns, FieldsWithADefaultSayThatEveryRowHasAValue) {
  // b and vc are nullable as well, so the log says it; of i16 and d it says nothing.
  for (const char* name : {"b", "i16", "d", "vc"}) {
    EXPECT_EQ(columns_.at(name).valid, std::string(10, '\1')) << name;
    EXPECT_EQ(Elements(columns_.at(name), columns_.at(name).kind == 5 ? 8 : 0), 10U) << name;
  }
  for (const char* name : {"id", "i64", "av"}) EXPECT_EQ(columns_.at(name).valid, "") << name;
}

TEST_F(NullableColumns, AColumnWithoutNullsIsNotCopied) {
  WireReader reader(change_.payload.bytes);
  int untouched = 0;
  while (reader.Next()) {
    if (!reader.Is(13, WireType::kBytes)) continue;
    const Slices column = RequestColumn(change_.payload, reader.bytes(), 10, to_);
    untouched += column.pieces().front().owner == change_.payload.owner ? 1 : 0;
  }
  EXPECT_EQ(untouched, 17 - 5);
}

TEST_F(NullableColumns, AColumnThatIsCompactAlreadyStaysAsItIs) {
  for (const std::string& bytes : [&] {
         wire::InsertRowsRequest request;
         EXPECT_TRUE(request.ParseFromString(InsertRequest(change_, to_).Join()));
         return std::vector<std::string>(request.fields_data().begin(),
                                         request.fields_data().end());
       }()) {
    const auto owner = Slice::Own(bytes);
    EXPECT_EQ(RequestColumn(owner, owner.bytes, 10, to_).Join(), bytes);
  }
}

TEST(RequestColumn, NonsensePassesAsItIs) {
  // valid_data of two rows, values of three.
  const auto column = Slice::Copy({"\x1a\x07\x1a\x05\x0a\x03\x01\x02\x03:\x02\x01\0", 13});
  EXPECT_EQ(RequestColumn(column, column.bytes, 2, {}).Join(), column.bytes);
  const auto cut = Slice::Own("\x1a\x7f");
  EXPECT_EQ(RequestColumn(cut, cut.bytes, 2, {}).Join(), cut.bytes);
}

}  // namespace
}  // namespace cdc
