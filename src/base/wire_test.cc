#include "base/wire.h"

#include <gtest/gtest.h>

#include <limits>

namespace cdc {
namespace {

TEST(Wire, WritesAndReadsEveryFieldType) {
  WireWriter writer;
  writer.Varint(1, 300);
  writer.Bytes(2, "abc");
  writer.Tag(3, WireType::kFixed64);
  writer.Raw(std::string_view("\x01\x02\0\0\0\0\0\0", 8));
  writer.Tag(4, WireType::kFixed32);
  writer.Raw(std::string_view("\x05\0\0\0", 4));
  writer.Varint(1000, std::numeric_limits<uint64_t>::max());
  const std::string bytes = writer.str();

  WireReader reader(bytes);
  ASSERT_TRUE(reader.Next());
  EXPECT_TRUE(reader.Is(1, WireType::kVarint));
  EXPECT_EQ(reader.number(), 300U);
  EXPECT_EQ(reader.raw(), bytes.substr(0, 3));
  ASSERT_TRUE(reader.Next());
  EXPECT_TRUE(reader.Is(2, WireType::kBytes));
  EXPECT_EQ(reader.bytes(), "abc");
  ASSERT_TRUE(reader.Next());
  EXPECT_TRUE(reader.Is(3, WireType::kFixed64));
  EXPECT_EQ(reader.number(), 0x201U);
  ASSERT_TRUE(reader.Next());
  EXPECT_TRUE(reader.Is(4, WireType::kFixed32));
  EXPECT_EQ(reader.number(), 5U);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.field(), 1000U);
  EXPECT_EQ(reader.number(), std::numeric_limits<uint64_t>::max());
  EXPECT_FALSE(reader.Next());
  EXPECT_TRUE(reader.ok());
}

TEST(Wire, EmptyBytesAreAnEmptyMessage) {
  WireReader reader("");
  EXPECT_FALSE(reader.Next());
  EXPECT_TRUE(reader.ok());
}

TEST(Wire, RefusesMalformedBytes) {
  using namespace std::string_view_literals;
  const std::string_view malformed[] = {
      "\x08"sv,                                              // a varint without its value
      "\x08\x80"sv,                                          // a truncated varint
      "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"sv,      // 65 bits
      "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv,  // 11 bytes
      "\x12\x05hell"sv,                                      // shorter than its length
      "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv,      // a length near 2^64
      "\x09\x01\x02\x03"sv,                                  // half a fixed64
      "\x0d\x01\x02"sv,                                      // half a fixed32
      "\x0b\x0c"sv,                                          // a group
      "\x0e\x01"sv,                                          // wire type 6
      "\x00\x01"sv,                                          // field 0
      "\x80\x80\x80\x80\x10\x01"sv,                          // field number above 2^29 - 1
  };
  for (const std::string_view bytes : malformed) {
    WireReader reader(bytes);
    while (reader.Next()) {
    }
    EXPECT_FALSE(reader.ok()) << "bytes of length " << bytes.size() << " starting "
                              << static_cast<int>(static_cast<uint8_t>(bytes[0]));
    EXPECT_FALSE(reader.Next());
  }
}

TEST(Wire, ReadsRepeatedNumbersPackedAndSingle) {
  WireWriter writer;
  writer.PackedRepeat(10, 300, 3);
  writer.Varint(10, 7);
  std::vector<uint64_t> numbers;
  WireReader reader(writer.str());
  while (reader.Next()) {
    EXPECT_TRUE(ForEachVarint(reader, [&](uint64_t number) { numbers.push_back(number); }));
  }
  EXPECT_EQ(numbers, (std::vector<uint64_t>{300, 300, 300, 7}));

  WireReader broken(std::string_view("\x52\x02\x01\x80", 4));
  ASSERT_TRUE(broken.Next());
  EXPECT_FALSE(ForEachVarint(broken, [](uint64_t) {}));
}

TEST(Wire, VarintSizeIsWhatIsWritten) {
  for (int bits = 0; bits < 64; ++bits) {
    const uint64_t value = uint64_t{1} << bits;
    for (const uint64_t number : {value - 1, value, value + 1}) {
      WireWriter writer;
      writer.RawVarint(number);
      EXPECT_EQ(VarintSize(number), writer.size());
      size_t at = 0;
      uint64_t back = 0;
      ASSERT_TRUE(ReadVarint(writer.str(), &at, &back));
      EXPECT_EQ(back, number);
    }
  }
}

TEST(Slices, ShareTheirBytes) {
  const auto owner = Slice::Own("hello world");
  Slices slices;
  slices.Append(owner.owner, owner.bytes.substr(6));
  slices.Append(std::string("!"));
  slices.Append(owner.owner, {});
  Slices all;
  all.Append(std::string("> "));
  all.Append(slices);
  EXPECT_EQ(all.Join(), "> world!");
  EXPECT_EQ(all.size(), 8U);
  EXPECT_EQ(all.pieces().size(), 3U);
  EXPECT_EQ(all.pieces()[1].bytes.data(), owner.bytes.data() + 6);
}

}  // namespace
}  // namespace cdc
