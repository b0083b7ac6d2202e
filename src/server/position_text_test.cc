#include "server/position_text.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "client/milvus/message_codec.h"
#include "client/pulsar/pulsar_id.h"

namespace cdc {
namespace {

using Kind = LogPosition::Kind;

TEST(PositionText, IsWhatMilvusWrites) {
  EXPECT_EQ(EncodePosition("ch", {Kind::kAt, {0, 0x0102}}, LogKind::kRocksmq),
            "CgJjaBIIAgEAAAAAAAA=");
  EXPECT_EQ(EncodePosition("ch", {Kind::kAt, {0, 0x0102}}, LogKind::kRocksmq, 300),
            "CgJjaBIIAgEAAAAAAAAgrAI=");
  EXPECT_EQ(EncodePosition("ch", {}, LogKind::kKafka), "CgJjaA==");
}

TEST(PositionText, ComesBackAsItWas) {
  for (const LogKind log : {LogKind::kRocksmq, LogKind::kKafka, LogKind::kPulsar}) {
    const Result<PositionText> position =
        DecodePosition(EncodePosition("ch", {Kind::kAfter, {0, 7}}, log, ~Timestamp{0}));
    ASSERT_TRUE(position.ok()) << position.error().message;
    EXPECT_EQ(position->channel, "ch");
    EXPECT_EQ(position->after, ~Timestamp{0});
    EXPECT_EQ(position->message_id,
              log == LogKind::kPulsar ? EncodePulsarId({0, 7}) : EncodeNumericId({0, 7}));
  }
}

TEST(PositionText, WhatIsUnknownInItIsPassedOver) {
  const std::string text =
      Base64(std::string("\x0a\x02"
                         "ch\x1a\x05group\x20\x05\x30\x01",
                         15));
  const Result<PositionText> position = DecodePosition(text);
  ASSERT_TRUE(position.ok()) << position.error().message;
  EXPECT_EQ(position->channel, "ch");
  EXPECT_EQ(position->message_id, "");
  EXPECT_EQ(position->after, 5u);
}

TEST(PositionText, WhatIsNoneIsRefused) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "it is empty"},
      {"x", "it is not base64"},
      {"CgJjaA", "it is not base64"},
      {Base64("\x0a\x7f"), "it is not a MsgPosition of Milvus"},
      {Base64("\x30\x01"), "it is not a MsgPosition of Milvus"},
      {Base64("\x0a\x02\n\x7f"), "it is not a MsgPosition of Milvus"},
  };
  for (const auto& [text, message] : cases) {
    const Result<PositionText> position = DecodePosition(text);
    ASSERT_FALSE(position.ok()) << text;
    EXPECT_EQ(position.error().message, message) << text;
  }
}

}  // namespace
}  // namespace cdc
