// Positions of channels as users see them: base64 of Milvus' MsgPosition. Pure functions.
#pragma once

#include <string>

#include "base/result.h"
#include "model/position.h"
#include "model/timestamp.h"
#include "server/config.h"

namespace cdc {

// Everything up to `after` is done with, and what is not stands at `position` or behind it; 0: not
// known. The id is written as the Milvus of that log writes it; there is none for kEarliest.
std::string EncodePosition(const std::string& channel, const LogPosition& position, LogKind log,
                           Timestamp after = 0);

struct PositionText {
  std::string channel;     // vchannel or pchannel; empty: not named
  std::string message_id;  // bytes as the log's Milvus writes them; empty: none
  Timestamp after = 0;
};
// Errors: corrupt; never repeats the text.
Result<PositionText> DecodePosition(const std::string& text);

}  // namespace cdc
