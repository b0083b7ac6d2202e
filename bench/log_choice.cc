#include "bench/log_choice.h"

#include "bench/backlog.h"
#include "client/rocksmq/rocksmq_log.h"

namespace cdc::bench {

void LogChoice::AddTo(CLI::App* app) {
  app->add_option("--kafka", kafka);
  app->add_option("--pulsar", pulsar.service_url);
  app->add_option("--library", pulsar.library);
}

Result<std::shared_ptr<RawLog>> LogChoice::Open(const std::string& folder) const {
  if (!kafka.empty()) {
    KafkaOptions options;
    options.brokers = kafka;
    return OpenKafkaLog(options);
  }
  if (!pulsar.service_url.empty()) return OpenPulsarLog(pulsar);
  return OpenRocksmqLog(RocksmqOf(folder));
}

}  // namespace cdc::bench
