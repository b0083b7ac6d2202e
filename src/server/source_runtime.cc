#include "server/source_runtime.h"

#include <future>
#include <utility>

#include "base/format.h"
#include "client/etcd/etcd_client.h"
#include "client/rocksmq/rocksmq_log.h"
#include "source/catalog_feed.h"
#include "source/catalog_list.h"
#include "source/log_source.h"

namespace cdc {
namespace {

EtcdConfig ClientConfig(const EtcdSection& section) {
  EtcdConfig config;
  config.endpoints = section.addresses;
  if (section.enable_auth) {
    config.user = section.username;
    config.password = section.password;
  }
  config.tls = section.enable_tls;
  if (section.enable_tls) {
    config.ca_pem_path = section.tls_ca_cert_path;
    config.client_pem_path = section.tls_cert_path;
    config.client_key_path = section.tls_key_path;
  }
  return config;
}

}  // namespace

SourceRuntime::SourceRuntime(const SourceConfig& config)
    : config_(config), log_(OpenRocksmqLog(config.rocksmq_path)) {}

std::unique_ptr<CatalogFeed> SourceRuntime::OpenCatalog(Executor* executor) const {
  return MakeEtcdCatalogFeed(ClientConfig(config_.etcd), config_.etcd.root_path,
                             config_.etcd.meta_sub_path, executor);
}

std::unique_ptr<LogSource> SourceRuntime::OpenLog(Executor* executor) const {
  return MakeLogSource(log_, executor);
}

std::unique_ptr<OperationSource> SourceRuntime::OpenOperations(Executor* executor) const {
  return MakeOperationSource(log_, config_.replicate_channel, executor);
}

Result<CatalogUpdate> SourceRuntime::ListCatalog() const {
  return cdc::ListCatalog(ClientConfig(config_.etcd), config_.etcd.root_path,
                          config_.etcd.meta_sub_path);
}

Result<std::map<std::string, LogPosition>> SourceRuntime::LatestPositions(
    const std::set<std::string>& channels, Duration timeout) const {
  using Answer = Result<std::map<std::string, LogPosition>>;
  auto promise = std::make_shared<std::promise<Answer>>();
  auto future = promise->get_future();
  std::vector<std::string> topics(channels.begin(), channels.end());
  topics.push_back(config_.replicate_channel);
  log_->Latest(std::move(topics),
               [promise](Answer answer) { promise->set_value(std::move(answer)); });
  if (future.wait_for(timeout) != std::future_status::ready) {
    return RetryError(Format("the message store {} does not answer", config_.rocksmq_path),
                      ErrorKind::kUnavailable);
  }
  return future.get();
}

}  // namespace cdc
