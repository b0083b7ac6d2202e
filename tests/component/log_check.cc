// Reads a source's message queue as milvus-cdc does, and prints what it finds as lines of JSON:
//
//   log_check --pulsar URL --library PATH --topic T --from "after 5:3" --count 10
//   log_check --rocksmq PATH --topic T --until-end
//   log_check --kafka BROKERS --property socket.timeout.ms=1000 --topic T --latest
//
// Per entry {"id", "size", "crc" (CRC-32), "streaming"}; per error {"error", "retry", "gone"}: one
// that may pass is tried again, any other ends the program with code 1. `--latest` and
// `--held PLACE` print the answers of those calls instead. Interrupted by SIGTERM at any time.
#include <CLI/CLI.hpp>
#include <boost/crc.hpp>
#include <cstdio>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/log.h"
#include "client/kafka/kafka_log.h"
#include "client/pulsar/pulsar_log.h"
#include "client/rocksmq/rocksmq_log.h"

namespace cdc {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  PulsarOptions pulsar;
  KafkaOptions kafka;
  std::vector<std::string> properties;  // of librdkafka, name=value
  std::string rocksmq;
  std::vector<std::string> topics;
  std::string from = "earliest";
  std::string held;
  size_t read_bytes = 1 << 20;
  uint64_t count = UINT64_MAX;
  int patience = 10;
  bool until_end = false, latest = false, verbose = false;
};

void Print(const Json& line) {
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

void PrintError(const Error& error) {
  Print({{"error", error.message},
         {"retry", error.IsRetry()},
         {"gone", error.kind == ErrorKind::kPositionGone}});
}

Result<std::shared_ptr<RawLog>> OpenLog(const Options& options) {
  if (!options.rocksmq.empty()) return OpenRocksmqLog(options.rocksmq);
  if (!options.kafka.brokers.empty()) {
    KafkaOptions kafka = options.kafka;
    for (const std::string& property : options.properties) {
      const size_t equals = property.find('=');
      kafka.properties[property.substr(0, equals)] = property.substr(equals + 1);
    }
    return OpenKafkaLog(kafka);
  }
  return OpenPulsarLog(options.pulsar);
}

// The answer of a call that takes a callback.
template <typename T, typename Start>
T Wait(Start start) {
  auto promise = std::make_shared<std::promise<T>>();
  start([promise](T answer) { promise->set_value(std::move(answer)); });
  return promise->get_future().get();
}

// The same, tried again while the error may pass.
template <typename T, typename Start>
Result<T> Insist(Start start) {
  while (true) {
    auto answer = Wait<Result<T>>(start);
    if (answer.ok()) return answer;
    PrintError(answer.error());
    if (!answer.error().IsRetry()) return answer;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

using Positions = std::map<std::string, LogPosition>;

Result<Positions> Latest(RawLog* log, const Options& options) {
  return Insist<Positions>([&](auto done) { log->Latest(options.topics, done); });
}

int ShowLatest(RawLog* log, const Options& options) {
  const auto latest = Latest(log, options);
  if (!latest.ok()) return 1;
  for (const auto& [topic, place] : *latest) {
    Print({{"topic", topic}, {"latest", ToString(place)}});
  }
  return 0;
}

int ShowHeld(RawLog* log, const Options& options) {
  const auto place = ParseLogPosition(options.held);
  if (!place.ok()) return 2;
  Positions places;
  for (const std::string& topic : options.topics) places[topic] = *place;
  const auto held =
      Insist<std::map<std::string, HeldLog>>([&](auto done) { log->Held(places, done); });
  if (!held.ok()) return 1;
  for (const auto& [topic, found] : *held) {
    Print({{"topic", topic}, {"oldest", ToString(found.oldest)}, {"bytes", found.bytes}});
  }
  return 0;
}

void PrintEntry(const RawEntry& entry) {
  boost::crc_32_type crc;
  crc.process_bytes(entry.payload.bytes.data(), entry.payload.bytes.size());
  Print({{"id", ToString(entry.id)},
         {"size", entry.payload.bytes.size()},
         {"crc", crc.checksum()},
         {"streaming", entry.streaming}});
}

int Read(RawLog* log, const Options& options) {
  const std::string& topic = options.topics.front();
  const auto from = ParseLogPosition(options.from);
  if (!from.ok()) return 2;
  std::optional<LogId> end;
  if (options.until_end) {
    const auto latest = Latest(log, options);
    if (!latest.ok()) return 1;
    if (latest->at(topic).kind == LogPosition::Kind::kEarliest) return 0;
    end = latest->at(topic).id;
  }
  uint64_t messages = 0;
  bool ended = false;
  const auto tail = log->Open(topic, *from);
  while (!ended && messages < options.count) {
    const auto entries =
        Insist<std::vector<RawEntry>>([&](auto done) { tail->Read(options.read_bytes, done); });
    if (!entries.ok()) return 1;
    for (const RawEntry& entry : *entries) {
      if (messages == options.count) break;
      PrintEntry(entry);
      ++messages;
      ended = end && entry.id >= *end;
    }
  }
  return 0;
}

void Define(CLI::App* app, Options* options) {
  app->add_option("--rocksmq", options->rocksmq, "folder of a message store");
  app->add_option("--kafka", options->kafka.brokers, "addresses of brokers");
  app->add_option("--property", options->properties, "of librdkafka, name=value");
  app->add_option("--pulsar", options->pulsar.service_url, "address of a broker");
  app->add_option("--library", options->pulsar.library);
  app->add_option("--tenant", options->pulsar.tenant);
  app->add_option("--namespace", options->pulsar.name_space);
  app->add_option("--auth-plugin", options->pulsar.auth_plugin);
  app->add_option("--auth-params", options->pulsar.auth_params);
  app->add_option("--trust-certs", options->pulsar.tls_trust_certs_path);
  app->add_flag("--validate-hostname", options->pulsar.tls_validate_hostname);
  app->add_option("--patience", options->patience, "seconds without a connection");
  app->add_option("--topic", options->topics)->required();
  app->add_option("--from", options->from, "earliest, at ID or after ID");
  app->add_option("--count", options->count);
  app->add_option("--read-bytes", options->read_bytes);
  app->add_option("--held", options->held, "a place as for --from");
  app->add_flag("--until-end", options->until_end);
  app->add_flag("--latest", options->latest);
  app->add_flag("--verbose", options->verbose);
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Reads a message queue and prints what it finds");
  Define(&app, &options);
  CLI11_PARSE(app, argc, argv);
  options.pulsar.patience = std::chrono::seconds(options.patience);
  InitLog(options.verbose ? LogLevel::kDebug : LogLevel::kInfo, "");
  const auto log = OpenLog(options);
  if (!log.ok()) {
    PrintError(log.error());
    return 1;
  }
  if (options.latest) return ShowLatest(log->get(), options);
  if (!options.held.empty()) return ShowHeld(log->get(), options);
  return Read(log->get(), options);
}

}  // namespace
}  // namespace cdc

int main(int argc, char** argv) {
  return cdc::Main(argc, argv);
}
