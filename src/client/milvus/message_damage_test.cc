// What damage to a message in the source's log does: a decoded message or an error with the
// position, and nothing else. tests/fuzz goes further; these are the damages that disks and wires
// really do.
#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "base/format.h"
#include "client/milvus/golden_for_tests.h"
#include "client/milvus/message_codec.h"
#include "milvus/msg.pb.h"

namespace cdc {
namespace {

using namespace golden;  // NOLINT: the golden messages are what these tests are about

constexpr LogId kId{7, 9};

// The golden messages, and all that were recorded.
std::vector<Golden> All() {
  std::vector<Golden> all = AllGolden();
  for (const char* version : {"2.4.21", "2.5.15"}) {
    for (const Recorded& message : LoadRecording(version)) {
      Golden golden;
      golden.name = message.topic + " " + std::to_string(message.offset);
      golden.primary_key = 100;
      golden.payload = message.payload;
      all.push_back(std::move(golden));
    }
  }
  return all;
}

// Of an error: empty when it is as promised.
std::string WrongError(const Error& error) {
  if (error.disposition != Disposition::kCorrupt) return "not corrupt: " + error.message;
  if (error.message.find("message 7:9 ") == std::string::npos) return "no id: " + error.message;
  return error.message.size() > 300 ? "too long: " + error.message : "";
}

// Decodes `bytes` and makes everything of them that the pipeline would. Empty: as promised.
std::string Damage(const std::string& bytes, const TargetAddressOfRows& to, int* refused) {
  if (const auto operation = DecodeOperation(kId, bytes); !operation.ok()) {
    if (const std::string wrong = WrongError(operation.error()); !wrong.empty()) return wrong;
  }
  const auto change = DecodeMessage(kId, Slice::Own(bytes));
  if (!change.ok()) {
    ++*refused;
    return WrongError(change.error());
  }
  if (change->kind != ChangeKind::kInsert && change->kind != ChangeKind::kDelete) return "";
  const auto keys = ReadPrimaryKeys(*change, to);
  if (!keys.ok()) return WrongError(keys.error());
  if (CountOf(*keys) != change->num_rows) return "other keys than rows";
  const bool insert = change->kind == ChangeKind::kInsert;
  const Timestamp stamp = change->ts + 1;
  const Slices after =
      insert ? RewriteInsert(*change, to, stamp) : RewriteDelete(*change, to, stamp);
  const auto again = DecodeMessage(kId, Slice::Own(after.Join()));
  if (!again.ok()) return "rewritten it does not decode: " + again.error().message;
  if (again->num_rows != change->num_rows || again->ts != stamp) return "rewritten it is another";
  const auto keys_again = ReadPrimaryKeys(*again, to);
  return keys_again.ok() && *keys_again == *keys ? "" : "rewritten it has other keys";
}

TEST(MessageDamage, AMessageCutAnywhereIsDecodedOrCorruptAtItsPosition) {
  int refused = 0;
  int cuts = 0;
  for (const Golden& golden : All()) {
    for (size_t size = 0; size < golden.payload.bytes.size(); ++size, ++cuts) {
      ASSERT_EQ(
          Damage(std::string(golden.payload.bytes.substr(0, size)), Address(golden), &refused), "")
          << golden.name << " cut to " << size;
    }
  }
  EXPECT_GT(refused, cuts / 2);
}

TEST(MessageDamage, AnyFlippedBitIsDecodedOrCorruptAtItsPosition) {
  int refused = 0;
  for (const Golden& golden : All()) {
    const TargetAddressOfRows to = Address(golden);
    std::string bytes(golden.payload.bytes);
    for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      const auto flip = [&] { bytes[bit / 8] ^= static_cast<char>(1U << (bit % 8)); };
      flip();
      ASSERT_EQ(Damage(bytes, to, &refused), "") << golden.name << ", bit " << bit;
      flip();
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(MessageDamage, ALengthThatClaimsMoreThanThereIsIsCorrupt) {
  for (const uint64_t claimed : {uint64_t{1} << 20, uint64_t{0x7fffffff}, uint64_t{1} << 31,
                                 std::numeric_limits<uint64_t>::max()}) {
    for (const Golden& golden : All()) {
      // Field 1 is the MsgBase of every message, and its first two bytes are tag and length.
      WireWriter out;
      out.BytesHeader(1, claimed);
      const auto change =
          DecodeMessage(kId, Slice::Own(out.Take() + std::string(golden.payload.bytes.substr(2))));
      ASSERT_FALSE(change.ok()) << golden.name;
      EXPECT_EQ(WrongError(change.error()), "");
    }
  }
}

TEST(MessageDamage, MoreRowsThanThereAreIsCorrupt) {
  wire::DeleteMessage message;
  message.mutable_base()->set_msg_type(401);
  message.set_shard_name("p_1v0");
  message.set_collection_id(1);
  message.add_timestamps(5);
  message.mutable_primary_keys()->mutable_int_ids()->add_data(1);
  for (const int64_t rows : {int64_t{0}, int64_t{2}, int64_t{1} << 31, int64_t{-1}}) {
    message.set_num_rows(rows);
    const auto change = DecodeMessage(kId, Slice::Own(message.SerializeAsString()));
    ASSERT_FALSE(change.ok()) << rows;
    EXPECT_EQ(WrongError(change.error()), "");
  }
  message.set_num_rows(1);
  message.mutable_primary_keys()->mutable_int_ids()->add_data(2);
  const auto change = DecodeMessage(kId, Slice::Own(message.SerializeAsString()));
  ASSERT_TRUE(change.ok());
  EXPECT_EQ(WrongError(ReadPrimaryKeys(*change, Address({})).error()), "");
}

// Found by fuzzing: 402 with a bit beyond the 32nd was no flush, and yet had the flush's number.
TEST(MessageDamage, AMessageTypeHasThirtyTwoBits) {
  WireWriter base;
  base.Varint(1, (uint64_t{1} << 40) | 402);
  WireWriter out;
  out.Bytes(1, base.str());
  const auto operation = DecodeOperation(kId, out.str());
  ASSERT_TRUE(operation.ok());
  EXPECT_EQ(operation->msg_type, 402);
  EXPECT_TRUE(operation->is_flush);
}

}  // namespace
}  // namespace cdc
