// The log of a Milvus on Kafka: partition 0 of each physical channel's topic, by librdkafka.
//
// It reads by explicit offsets without a consumer group: it commits nothing and leaves nothing
// behind on the brokers. A LogId is {0, offset}. Offsets are dense, so a position is held as long
// as the log's oldest offset is not above the one to be read next.
//
// Threads: one of its own that serves every tail, one for questions (Latest, Held), and those of
// librdkafka. What librdkafka has fetched and nobody has read yet is bounded per tail: about 8 MiB
// for the first four, for the others 512 KiB and what the producer sent as one batch with it (1 MB
// at most), unless the messages compress unusually well.
//
// Errors: kRetry while no broker can be reached (librdkafka goes on trying by itself);
// kPositionGone when the offset is not held: there is never a silent jump.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "client/raw_log.h"

namespace cdc {

struct KafkaOptions {
  std::string brokers;            // host:port, ...
  std::string security_protocol;  // plaintext, ssl, sasl_plaintext, sasl_ssl; empty: plaintext
  std::string sasl_mechanisms;    // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
  std::string sasl_username;
  std::string sasl_password;  // secret
  // Any properties of librdkafka, as ssl.ca.location; but those that this log depends on.
  std::map<std::string, std::string> properties;
};

// Connects in the background. Errors: kInvalid for properties that librdkafka does not accept.
Result<std::shared_ptr<RawLog>> OpenKafkaLog(const KafkaOptions& options);

}  // namespace cdc
