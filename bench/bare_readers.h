// Loops over a client library that do nothing but read a topic to its end: what reading, decoding
// and ordering are measured against.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "client/pulsar/pulsar_bare_reader.h"

namespace cdc::bench {

// librdkafka, told to keep as much in memory as it likes: with its defaults it pauses for a second
// whenever 100,000 messages wait.
Result<BareCount> DrainKafka(const std::string& brokers, const std::string& topic, uint64_t count);
// RocksDB, opened read-only.
Result<BareCount> DrainRocksmq(const std::string& path, const std::string& topic);

}  // namespace cdc::bench
