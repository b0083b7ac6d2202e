#include "sink/milvus/merge_rows.h"

#include <gtest/gtest.h>

#include "client/milvus/columns_for_tests.h"
#include "client/milvus/golden_for_tests.h"
#include "sink/milvus/rows_for_tests.h"

namespace cdc {
namespace {

using columns_for_tests::Columns;
using rows_for_tests::Base;
using rows_for_tests::Column;
using rows_for_tests::Decoded;
using rows_for_tests::Nested;

// Rows with a nullable int32 column: as the log holds it, with a value in the place of each null.
Change NullableInsert(const std::string& numbers, const std::string& valid) {
  WireWriter out;
  out.Bytes(1, Base(400, 5, 1000));
  out.Bytes(2, "src-dml_0_7v0");
  out.Varint(7, 7);
  out.Varint(8, 70);
  out.PackedRepeat(10, 1000, valid.size());
  out.Bytes(13, Column(4, "n", 101, Nested(3, Nested(2, Nested(1, numbers))) + Nested(7, valid)));
  out.Varint(14, valid.size());
  return Decoded(out.Take());
}

// Found by fuzzing: the name of a joined column was read from a copy that was gone by then.
TEST(MergeRows, JoinedNullableColumnsHoldOnlyTheValuesThatAreThere) {
  const Change first = NullableInsert(std::string("\x0b\x00\x0c", 3), std::string("\1\0\1", 3));
  const Change second = NullableInsert(std::string("\x0d\x00", 2), std::string("\1\0", 2));
  TargetAddressOfRows to;
  to.name = {"db", "coll"};
  MergedRows merged(&to);
  ASSERT_TRUE(merged.Add(std::vector<const Change*>{&first, &second}));
  const std::string bytes = merged.Request(RowsCall::kInsert).Join();
  std::string name, values, valid;
  uint64_t rows = 0;
  WireReader request(bytes);
  while (request.Next()) {
    if (request.field() == 7) rows = request.number();
    if (request.field() != 5) continue;
    WireReader column(request.bytes());
    while (column.Next()) {
      if (column.field() == 2) name = column.bytes();
      if (column.field() == 3) values = column.bytes();
      if (column.field() == 7) valid = column.bytes();
    }
  }
  EXPECT_EQ(rows, 5U);
  EXPECT_EQ(name, "n");
  EXPECT_EQ(valid, std::string("\1\0\1\1\0", 5));
  // Two packed runs of one array are one array.
  const std::string array = Nested(1, "\x0b\x0c") + Nested(1, "\x0d");
  EXPECT_EQ(values, Nested(2, array));
}

// Joins the messages, and compares with what protobuf makes of the requests of each.
void ExpectJoined(const std::vector<const Change*>& changes, const TargetAddressOfRows& to) {
  MergedRows merged(&to);
  ASSERT_TRUE(merged.Add(std::vector<const Change*>{changes[0]}));
  Columns expected(InsertRequest(*changes[0], to).Join());
  for (size_t i = 1; i < changes.size(); ++i) {
    ASSERT_TRUE(merged.Add(std::vector<const Change*>{changes[i]})) << i;
    expected.Append(Columns(InsertRequest(*changes[i], to).Join()));
  }
  const Columns actual(merged.Request(RowsCall::kInsert).Join());
  ASSERT_TRUE(expected.parsed() && actual.parsed());
  EXPECT_EQ(actual.Text(), expected.Text());
  EXPECT_NE(actual.Text(), "");
}

TEST(MergeRows, WhatServersWroteIsJoinedAsProtobufMergesIt) {
  size_t inserts = 0, sparse = 0;
  const auto all = golden::AllGolden();
  for (const golden::Golden& golden : all) {
    if (golden.msg_type != 400) continue;
    SCOPED_TRACE(golden.name);
    const Change change = *DecodeMessage(LogId{0, 1}, golden.payload);
    ExpectJoined({&change, &change, &change}, golden::Address(golden));
    ++inserts;
    const Columns request(InsertRequest(change, golden::Address(golden)).Join());
    if (request.Text().find("sparse_float_vector") != std::string::npos) ++sparse;
  }
  EXPECT_GE(inserts, 5U);
  EXPECT_GE(sparse, 2U);
}

// One message of `rows` rows with one column "x".
Change Message(int type, uint64_t rows, const std::string& values) {
  WireWriter out;
  out.Bytes(1, Base(400, 5, 1000));
  out.Bytes(2, "src-dml_0_7v0");
  out.Varint(7, 7);
  out.Varint(8, 70);
  out.PackedRepeat(10, 1000, rows);
  out.Bytes(13, Column(type, "x", 101, values));
  out.Varint(14, rows);
  return Decoded(out.Take());
}

std::string Number(uint32_t field, uint64_t value) {
  WireWriter out;
  out.Varint(field, value);
  return out.Take();
}

Change Sparse(uint64_t dim, const std::vector<std::string>& contents) {
  std::string array;
  for (const std::string& row : contents) array += Nested(1, row);
  if (dim != 0) array += Number(2, dim);
  return Message(104, contents.size(), Nested(4, Number(1, dim) + Nested(6, array)));
}

TEST(MergeRows, SparseVectorsHaveTheLargestDimension) {
  const Change a = Sparse(30, {"8 bytes!", ""}), b = Sparse(70, {"16 bytes of one."});
  const Change c = Sparse(50, {"8 bytes?"}), none = Sparse(0, {""});
  TargetAddressOfRows to;
  ExpectJoined({&a, &b, &c, &none}, to);
  ExpectJoined({&none, &a}, to);
}

TEST(MergeRows, Int8VectorsAreJoinedIfOfOneDimension) {
  const auto int8 = [](uint64_t dim, const std::string& bytes) {
    return Message(105, bytes.size() / dim, Nested(4, Number(1, dim) + Nested(7, bytes)));
  };
  const Change a = int8(4, "abcdefgh"), b = int8(4, "1234"), other = int8(2, "xy");
  TargetAddressOfRows to;
  ExpectJoined({&a, &b}, to);
  MergedRows merged(&to);
  ASSERT_TRUE(merged.Add(std::vector<const Change*>{&a}));
  EXPECT_FALSE(merged.Add(std::vector<const Change*>{&other}));
}

// 8: a kind that came after this code.
TEST(MergeRows, UnknownVectorsTravelAlone) {
  const Change a = Message(106, 1, Nested(4, Number(1, 4) + Nested(8, Nested(1, "abcd"))));
  TargetAddressOfRows to;
  MergedRows merged(&to);
  EXPECT_TRUE(merged.Add(std::vector<const Change*>{&a}));
  EXPECT_FALSE(merged.Add(std::vector<const Change*>{&a}));
}

TEST(MergeRows, MessagesThatDoNotTellOfNullsHaveNone) {
  const std::string values = Nested(3, Nested(2, Nested(1, "\x0b\x0c")));
  const Change silent = Message(4, 2, values);
  const Change told = Message(4, 2, values + Nested(7, std::string("\1\0", 2)));
  TargetAddressOfRows to;
  ExpectJoined({&silent, &told}, to);
  ExpectJoined({&told, &silent}, to);
  ExpectJoined({&silent, &silent, &told, &silent, &told, &silent, &silent}, to);
  ExpectJoined({&silent, &silent}, to);
}

}  // namespace
}  // namespace cdc
