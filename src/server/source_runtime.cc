#include "server/source_runtime.h"

#include <future>
#include <utility>

#include "base/format.h"
#include "base/thread_executor.h"
#include "client/kafka/kafka_log.h"
#include "client/pulsar/pulsar_log.h"
#include "client/rocksmq/rocksmq_log.h"
#include "server/etcd_settings.h"
#include "source/catalog_feed.h"
#include "source/catalog_list.h"
#include "source/log_source.h"
#include "source/shared_log.h"

namespace cdc {
namespace {

Result<std::shared_ptr<RawLog>> OpenLogOf(const SourceConfig& config) {
  switch (config.log) {
    case LogKind::kRocksmq:
      return OpenRocksmqLog(config.rocksmq_path);
    case LogKind::kKafka: {
      KafkaOptions options;
      options.brokers = config.kafka.address;
      options.security_protocol = config.kafka.security_protocol;
      options.sasl_mechanisms = config.kafka.sasl_mechanisms;
      options.sasl_username = config.kafka.sasl_username;
      options.sasl_password = config.kafka.sasl_password;
      options.properties = config.kafka.consumer;
      return OpenKafkaLog(options);
    }
    case LogKind::kPulsar: {
      PulsarOptions options;
      options.service_url = config.pulsar.address;
      options.tenant = config.pulsar.tenant;
      options.name_space = config.pulsar.name_space;
      options.auth_plugin = config.pulsar.auth_plugin;
      options.auth_params = config.pulsar.auth_params;
      options.tls_trust_certs_path = config.pulsar.tls_trust_certs_path;
      options.tls_allow_insecure = config.pulsar.tls_allow_insecure;
      options.tls_validate_hostname = config.pulsar.tls_validate_hostname;
      options.library = config.pulsar.library;
      return OpenPulsarLog(options);
    }
  }
  return FatalError("no such log");
}

// Waits for the answer to an asynchronous question; `late` when it does not come in time.
template <typename T>
Result<T> WaitFor(Duration timeout, const Error& late,
                  const std::function<void(std::function<void(Result<T>)>)>& ask) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  auto future = promise->get_future();
  ask([promise](Result<T> answer) { promise->set_value(std::move(answer)); });
  if (future.wait_for(timeout) != std::future_status::ready) return late;
  return future.get();
}

}  // namespace

Result<std::unique_ptr<SourceRuntime>> SourceRuntime::Open(const SourceConfig& config) {
  CDC_ASSIGN_OR_RETURN(auto log, OpenLogOf(config));
  return std::unique_ptr<SourceRuntime>(new SourceRuntime(config, std::move(log)));
}

SourceRuntime::SourceRuntime(const SourceConfig& config, std::shared_ptr<RawLog> log)
    : config_(config),
      budget_(std::make_shared<ReadBudget>()),
      log_(ShareTails(std::move(log), budget_)),
      catalog_([etcd = ClientConfig(config.etcd)] { return EtcdClient::Open(etcd); },
               CatalogKeys(config.etcd.root_path, config.etcd.meta_sub_path)) {}

Error SourceRuntime::NoAnswer() const {
  const std::string where =
      config_.log == LogKind::kRocksmq ? "the message store " + config_.rocksmq_path
      : config_.log == LogKind::kKafka ? "Kafka at " + config_.kafka.address
                                       : "Pulsar at " + config_.pulsar.address;
  return RetryError(where + " does not answer", ErrorKind::kUnavailable);
}

std::unique_ptr<CatalogFeed> SourceRuntime::OpenCatalog(Executor* executor) {
  return catalog_.Open(executor);
}

std::unique_ptr<RbacFeed> SourceRuntime::OpenRbac(Executor* executor) {
  return catalog_.OpenRbac(executor);
}

std::unique_ptr<LogSource> SourceRuntime::OpenLog(Executor* executor) const {
  return MakeLogSource(log_, executor, budget_);
}

std::unique_ptr<OperationSource> SourceRuntime::OpenOperations(Executor* executor) const {
  return MakeOperationSource(log_, config_.replicate_channel, executor, budget_);
}

Result<CatalogUpdate> SourceRuntime::ListCatalog() const {
  return cdc::ListCatalog(ClientConfig(config_.etcd), config_.etcd.root_path,
                          config_.etcd.meta_sub_path);
}

Result<std::map<std::string, LogPosition>> SourceRuntime::LatestPositions(
    const std::set<std::string>& channels, Duration timeout) const {
  std::vector<std::string> topics(channels.begin(), channels.end());
  topics.push_back(config_.replicate_channel);
  return WaitFor<std::map<std::string, LogPosition>>(
      timeout, NoAnswer(), [&](auto done) { log_->Latest(std::move(topics), std::move(done)); });
}

Result<std::map<std::string, HeldLog>> SourceRuntime::Held(
    std::map<std::string, LogPosition> places, Duration timeout) const {
  return WaitFor<std::map<std::string, HeldLog>>(
      timeout, NoAnswer(), [&](auto done) { log_->Held(std::move(places), std::move(done)); });
}

Result<std::map<std::string, Timestamp>> SourceRuntime::OldestHeld(
    const std::set<std::string>& channels, Duration timeout) const {
  CDC_ASSIGN_OR_RETURN(const auto ends, LatestPositions(channels, timeout));
  std::map<std::string, Timestamp> oldest;
  ThreadExecutor executor("cdc-oldest");
  const std::unique_ptr<LogSource> log = OpenLog(&executor);
  for (const std::string& name : channels) {
    const auto end = ends.find(name);
    if (end == ends.end() || end->second.kind == LogPosition::Kind::kEarliest) continue;
    using Answer = Result<std::vector<Change>>;
    auto promise = std::make_shared<std::promise<Answer>>();
    auto future = promise->get_future();
    auto reader = std::make_shared<std::unique_ptr<LogReader>>();
    executor.Post([&log, name, reader, promise] {
      *reader = log->Open(name, LogPosition{});
      (*reader)->Read(1, [promise](Answer answer) { promise->set_value(std::move(answer)); });
    });
    const bool answered = future.wait_for(timeout) == std::future_status::ready;
    auto closed = std::make_shared<std::promise<void>>();
    executor.Post([reader, closed] {
      reader->reset();
      closed->set_value();
    });
    closed->get_future().wait();
    if (!answered) {
      return RetryError(Format("channel {} of the message store does not answer", name),
                        ErrorKind::kUnavailable);
    }
    CDC_ASSIGN_OR_RETURN(const std::vector<Change> first, future.get());
    if (!first.empty()) oldest[name] = first.front().ts;
  }
  return oldest;
}

}  // namespace cdc
