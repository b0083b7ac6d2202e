#include "server/preflight_probes.h"

#include <algorithm>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "client/milvus/milvus_client.h"

namespace cdc {
namespace {

constexpr Duration kLogTimeout = std::chrono::seconds(5);
constexpr size_t kAtOnce = 16;  // descriptions under way together

class SourceProbe final : public PreflightSource {
 public:
  explicit SourceProbe(const SourceRuntime* source) : source_(source) {}

  Result<CatalogUpdate> Catalog() override { return source_->ListCatalog(); }
  Result<std::map<std::string, LogPosition>> Ends(const std::set<std::string>& channels) override {
    return source_->LatestPositions(channels, kLogTimeout);
  }
  Status ReadOldest(const std::string& channel) override {
    const auto oldest = source_->OldestHeld({channel}, kLogTimeout);
    return oldest.ok() ? OkStatus() : Status(oldest.error());
  }
  Status CheckHeld(const std::map<std::string, LogPosition>& places) override {
    const auto held = source_->Held(places, kLogTimeout);
    return held.ok() ? OkStatus() : Status(held.error());
  }
  Result<std::map<std::string, Timestamp>> Oldest(const std::set<std::string>& channels) override {
    return source_->OldestHeld(channels, kLogTimeout);
  }
  Result<LogId> DecodeId(const std::string& bytes) const override {
    return source_->DecodeId(bytes);
  }
  const std::string& operation_topic() const override { return source_->operation_topic(); }

 private:
  const SourceRuntime* const source_;
};

class TargetProbe final : public PreflightTarget {
 public:
  TargetProbe(TargetAddress address, std::shared_ptr<MilvusClient> client)
      : address_(std::move(address)), client_(std::move(client)) {}

  Result<ResolvedMode> Mode(TargetMode requested) override {
    return ResolveMode(requested, address_);
  }
  Result<std::vector<std::string>> Databases() override {
    return Await<Result<std::vector<std::string>>>(
        [&](auto done) { client_->ListDatabases(std::move(done)); });
  }
  Result<std::map<TargetName, TargetCollection>> Find(
      const std::vector<TargetName>& names) override {
    std::map<TargetName, TargetCollection> found;
    for (size_t begin = 0; begin < names.size(); begin += kAtOnce) {
      CDC_RETURN_IF_ERROR(FindSome(names, begin, &found));
    }
    return found;
  }

 private:
  using Answer = Result<std::optional<TargetCollection>>;

  Status FindSome(const std::vector<TargetName>& names, size_t begin,
                  std::map<TargetName, TargetCollection>* found) {
    const size_t end = std::min(begin + kAtOnce, names.size());
    std::vector<std::future<Answer>> answers;
    for (size_t i = begin; i < end; ++i) {
      auto promise = std::make_shared<std::promise<Answer>>();
      answers.push_back(promise->get_future());
      client_->Describe(names[i],
                        [promise](Answer answer) { promise->set_value(std::move(answer)); });
    }
    for (size_t i = begin; i < end; ++i) {
      Answer answer = answers[i - begin].get();
      if (answer.ok() && *answer) (*found)[names[i]] = **std::move(answer);
      // Not found: its database is not there either.
      if (!answer.ok() && answer.error().kind != ErrorKind::kNotFound) return answer.error();
    }
    return OkStatus();
  }

  const TargetAddress address_;
  const std::shared_ptr<MilvusClient> client_;
};

}  // namespace

std::unique_ptr<PreflightSource> ProbeSource(const SourceRuntime* source) {
  return std::make_unique<SourceProbe>(source);
}

Result<std::unique_ptr<PreflightTarget>> ProbeTarget(const TargetAddress& address) {
  CDC_ASSIGN_OR_RETURN(auto client, MilvusClient::Open(address));
  return std::unique_ptr<PreflightTarget>(new TargetProbe(address, std::move(client)));
}

PreflightPorts RealPorts(PreflightSource* source) {
  PreflightPorts ports;
  ports.source = source;
  ports.open_target = ProbeTarget;
  ports.wait = [](Duration duration) { std::this_thread::sleep_for(duration); };
  return ports;
}

}  // namespace cdc
