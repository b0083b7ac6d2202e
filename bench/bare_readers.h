// Loops over a client library that do nothing but read a topic to its end: what reading, decoding
// and ordering are measured against.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "client/pulsar/pulsar_log.h"

namespace cdc::bench {

struct BareCount {
  uint64_t messages = 0;
  uint64_t bytes = 0;
  double seconds = 0;  // from opening to the last message
};

// All block until they have read to the end, or `count` messages.

// librdkafka, told to keep as much in memory as it likes: with its defaults it pauses for a second
// whenever 100,000 messages wait.
Result<BareCount> DrainKafka(const std::string& brokers, const std::string& topic, uint64_t count);
// libpulsar's reader with its default settings.
Result<BareCount> DrainPulsar(const PulsarOptions& options, const std::string& topic,
                              uint64_t count);
// RocksDB, opened read-only; each message is copied, as the consumer of RocksMQ itself does.
Result<BareCount> DrainRocksmq(const std::string& path, const std::string& topic);

}  // namespace cdc::bench
