#include "server/position_text.h"

#include "base/base64.h"
#include "base/wire.h"
#include "client/milvus/message_codec.h"
#include "client/pulsar/pulsar_id.h"

namespace cdc {

std::string EncodePosition(const std::string& channel, const LogPosition& position, LogKind log) {
  WireWriter message;  // msgpb.MsgPosition: 1 channel_name, 2 msgID
  message.Bytes(1, channel);
  if (position.kind != LogPosition::Kind::kEarliest) {
    message.Bytes(
        2, log == LogKind::kPulsar ? EncodePulsarId(position.id) : EncodeNumericId(position.id));
  }
  return Base64(message.str());
}

}  // namespace cdc
