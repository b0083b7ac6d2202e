#include "server/position_text.h"

#include <algorithm>

#include "base/base64.h"
#include "base/wire.h"
#include "client/milvus/message_codec.h"
#include "client/pulsar/pulsar_id.h"

namespace cdc {

namespace {

// msgpb.MsgPosition
enum : uint32_t { kChannelName = 1, kMsgId = 2, kTimestamp = 4 };

}  // namespace

std::string EncodePosition(const std::string& channel, const LogPosition& position, LogKind log,
                           Timestamp after) {
  WireWriter message;
  message.Bytes(kChannelName, channel);
  if (position.kind != LogPosition::Kind::kEarliest) {
    message.Bytes(kMsgId, log == LogKind::kPulsar ? EncodePulsarId(position.id)
                                                  : EncodeNumericId(position.id));
  }
  if (after != 0) message.Varint(kTimestamp, after);
  return Base64(message.str());
}

Result<PositionText> DecodePosition(const std::string& text) {
  if (text.empty()) return CorruptError("it is empty");
  const std::optional<std::string> bytes = FromBase64(text);
  if (!bytes) return CorruptError("it is not base64");
  PositionText position;
  WireReader reader(*bytes);
  while (reader.Next()) {
    if (reader.Is(kChannelName, WireType::kBytes)) position.channel = reader.bytes();
    if (reader.Is(kMsgId, WireType::kBytes)) position.message_id = reader.bytes();
    if (reader.Is(kTimestamp, WireType::kVarint)) position.after = reader.number();
  }
  const bool none = position.channel.empty() && position.message_id.empty() && position.after == 0;
  const bool name = std::all_of(position.channel.begin(), position.channel.end(),
                                [](char c) { return c > ' ' && c < 0x7f; });
  if (!reader.ok() || none || !name) return CorruptError("it is not a MsgPosition of Milvus");
  return position;
}

}  // namespace cdc
