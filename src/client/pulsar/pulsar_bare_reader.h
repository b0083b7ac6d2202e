// A bare loop over libpulsar's reader with its default settings: what reading through RawLog is
// measured against. Not used by the server.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "client/pulsar/pulsar_log.h"

namespace cdc {

struct BareCount {
  uint64_t messages = 0;
  uint64_t bytes = 0;
  double seconds = 0;  // from opening the reader to the last message
};

// Reads `topic` from its oldest message, `messages` of them. Blocks until they were there.
Result<BareCount> DrainWithBarePulsarReader(const PulsarOptions& options, const std::string& topic,
                                            uint64_t messages);

}  // namespace cdc
