// Positions of channels as users see them: base64 of Milvus' MsgPosition. Pure functions.
#pragma once

#include <string>

#include "model/position.h"
#include "server/config.h"

namespace cdc {

// The position without a message id for kEarliest. The id is written as the Milvus of that log
// writes it.
std::string EncodePosition(const std::string& channel, const LogPosition& position, LogKind log);

}  // namespace cdc
