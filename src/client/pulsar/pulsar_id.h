// Message ids of Pulsar as bytes: the protobuf message MessageIdData (ledgerId = 1, entryId = 2,
// partition = 3, batch_index = 4, batch_size = 6), as clients serialize it. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/position.h"

namespace cdc {

struct PulsarMessageId {
  LogId id;               // ledger and entry: all that identifies a message written by Milvus
  bool in_batch = false;  // shares its entry with other messages
};

// Corrupt: not such a message, or without ledger or entry (as "earliest" and "latest" are).
Result<PulsarMessageId> DecodePulsarMessageId(std::string_view bytes);
// As Milvus 2.3 writes it into etcd.
std::string EncodePulsarId(const LogId& id);
// The id before `id` in its ledger, for readers, which begin behind what they are given. Pulsar
// counts entries from 0; the place before entry 0 is entry -1.
std::string EncodePulsarIdBefore(const LogId& id);

}  // namespace cdc
