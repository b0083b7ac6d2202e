#include "store/etcd_kv.h"

#include <utility>

#include "base/format.h"
#include "client/etcd/etcd_writer.h"

namespace cdc {
namespace {

constexpr int64_t kKeysPerPage = 500;

EtcdCondition::Kind KindOf(KvCondition::Kind kind) {
  switch (kind) {
    case KvCondition::Kind::kAbsent:
      return EtcdCondition::Kind::kAbsent;
    case KvCondition::Kind::kPresent:
      return EtcdCondition::Kind::kPresent;
    case KvCondition::Kind::kEquals:
      return EtcdCondition::Kind::kEquals;
  }
  return EtcdCondition::Kind::kPresent;
}

class EtcdKv final : public KvDb {
 public:
  EtcdKv(std::unique_ptr<EtcdClient> client, std::unique_ptr<EtcdWriter> writer, std::string place)
      : client_(std::move(client)), writer_(std::move(writer)), place_(std::move(place)) {}

  Result<std::optional<std::string>> Get(const std::string& key) override {
    CDC_ASSIGN_OR_RETURN(EtcdPage page, client_->Range(EtcdInterval::Key(place_ + key), {}));
    if (page.kvs.empty()) return std::optional<std::string>();
    return std::optional<std::string>(std::move(page.kvs.front().value));
  }

  Result<std::map<std::string, std::string>> List(const std::string& prefix) override {
    CDC_ASSIGN_OR_RETURN(EtcdPage page,
                         client_->RangeAll(EtcdInterval::Prefix(place_ + prefix), kKeysPerPage));
    std::map<std::string, std::string> found;
    for (EtcdKeyValue& kv : page.kvs) {
      found.emplace_hint(found.end(), kv.key.substr(place_.size()), std::move(kv.value));
    }
    return found;
  }

  Result<bool> Commit(const std::vector<KvCondition>& conditions,
                      const KvChanges& changes) override {
    EtcdTransaction transaction;
    for (const KvCondition& c : conditions) {
      transaction.conditions.push_back({place_ + c.key, KindOf(c.kind), c.value});
    }
    for (const std::string& prefix : changes.erased_prefixes) {
      transaction.deletes.push_back(EtcdInterval::Prefix(place_ + prefix));
    }
    for (const auto& [key, value] : changes.keys) {
      if (value) {
        transaction.puts.emplace_back(place_ + key, *value);
      } else {
        transaction.deletes.push_back(EtcdInterval::Key(place_ + key));
      }
    }
    return writer_->Commit(transaction);
  }

  // etcd's defaults are 128 operations and 1.5 MiB for the request as a whole.
  KvLimits limits() const override { return {120, 1'000'000}; }
  std::string name() const override {
    return Format("etcd {} under {}", client_->endpoints(), place_);
  }

 private:
  const std::unique_ptr<EtcdClient> client_;
  const std::unique_ptr<EtcdWriter> writer_;
  const std::string place_;
};

}  // namespace

Result<std::unique_ptr<KvDb>> OpenEtcdKv(const EtcdConfig& config, const std::string& root_path) {
  CDC_ASSIGN_OR_RETURN(std::unique_ptr<EtcdClient> client, EtcdClient::Open(config));
  CDC_ASSIGN_OR_RETURN(std::unique_ptr<EtcdWriter> writer, EtcdWriter::Open(config));
  return std::unique_ptr<KvDb>(
      std::make_unique<EtcdKv>(std::move(client), std::move(writer), KvPlace(root_path)));
}

}  // namespace cdc
