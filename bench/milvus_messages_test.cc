#include "bench/milvus_messages.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/wire.h"
#include "client/milvus/golden_for_tests.h"
#include "client/milvus/message_codec.h"

namespace cdc::bench {
namespace {

using Fields = std::set<std::string>;

// "1", "1.2" and so on: the fields that are there, down to `depth` levels.
Fields FieldsOf(std::string_view message, int depth, const std::string& prefix = {}) {
  Fields fields;
  for (WireReader reader(message); reader.Next();) {
    const std::string name = prefix + std::to_string(reader.field());
    fields.insert(name);
    if (depth > 1 && reader.type() == WireType::kBytes) {
      fields.merge(FieldsOf(reader.bytes(), depth - 1, name + "."));
    }
  }
  return fields;
}

std::string Golden(const std::string& name) {
  for (const golden::Golden& one : golden::LoadGolden("2.3.5")) {
    if (one.name.starts_with("2.3.5/" + name)) return std::string(one.payload.bytes);
  }
  ADD_FAILURE() << name;
  return {};
}

std::vector<std::string> Written(size_t bytes, size_t rows) {
  std::vector<std::string> all;
  MilvusMessages messages("bench-rootcoord-dml_0", 1'700'000'000'000, bytes, 1'000,
                          [&](const std::string& payload) { all.push_back(payload); });
  messages.Write(rows);
  return all;
}

// The base with all it has; of the message itself what every insert has.
TEST(BenchMessages, HaveTheFieldsOfRecordedOnes) {
  const std::vector<std::string> written = Written(600, 1);
  ASSERT_EQ(written.size(), 3U) << "a tick, the row, a tick";
  EXPECT_EQ(FieldsOf(written[0], 2), FieldsOf(Golden("time_tick"), 2));
  const std::string insert = Golden("insert_auto_id");
  EXPECT_EQ(FieldsOf(written[1], 1), FieldsOf(insert, 1));
  const auto base = [](std::string_view message) {
    WireReader reader(message);
    EXPECT_TRUE(reader.Next());
    return FieldsOf(reader.bytes(), 2);
  };
  EXPECT_EQ(base(written[1]), base(insert));
}

TEST(BenchMessages, AreReadAsRowsAndTicks) {
  uint64_t rows = 0, ticks = 0;
  for (const std::string& payload : Written(4'096, 70)) {
    const auto change = DecodeMessage(LogId{0, 1}, Slice::Own(payload));
    ASSERT_TRUE(change.ok()) << change.error().message;
    rows += change->num_rows;
    ticks += change->kind == ChangeKind::kTimeTick ? 1 : 0;
  }
  EXPECT_EQ(rows, 70U);
  EXPECT_GE(ticks, 2U);
}

}  // namespace
}  // namespace cdc::bench
