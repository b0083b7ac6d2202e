#include "sink/milvus/merge_rows.h"

#include <gtest/gtest.h>

#include "sink/milvus/rows_for_tests.h"

namespace cdc {
namespace {

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

}  // namespace
}  // namespace cdc
