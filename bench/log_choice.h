// Which log a bench reads: the RocksMQ of its folder, unless a broker is named with --kafka
// ADDRESS, or with --pulsar URL --library LIBPULSAR.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/result.h"
#include "client/kafka/kafka_log.h"
#include "client/pulsar/pulsar_log.h"

namespace cdc::bench {

struct LogChoice {
  std::string kafka;  // empty: not from Kafka
  PulsarOptions pulsar;

  void AddTo(CLI::App* app);
  Result<std::shared_ptr<RawLog>> Open(const std::string& folder) const;
};

}  // namespace cdc::bench
