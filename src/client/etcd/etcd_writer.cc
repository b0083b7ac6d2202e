#include "client/etcd/etcd_writer.h"

#include "client/etcd/etcd_connection_impl.h"
#include "etcd/rpc.pb.h"

namespace cdc {
namespace {

constexpr char kTxn[] = "/etcdserverpb.KV/Txn";

void ToWire(const EtcdCondition& condition, wire::etcd::Compare* out) {
  out->set_key(condition.key);
  if (condition.kind == EtcdCondition::Kind::kEquals) {
    out->set_result(wire::etcd::Compare::EQUAL);
    out->set_target(wire::etcd::Compare::VALUE);
    out->set_value(condition.value);
    return;
  }
  const bool present = condition.kind == EtcdCondition::Kind::kPresent;
  out->set_result(present ? wire::etcd::Compare::GREATER : wire::etcd::Compare::EQUAL);
  out->set_target(wire::etcd::Compare::CREATE);
  out->set_create_revision(0);  // of a key that does not exist
}

class GrpcEtcdWriter final : public EtcdWriter {
 public:
  explicit GrpcEtcdWriter(std::shared_ptr<EtcdConnection> connection)
      : connection_(std::move(connection)) {}
  ~GrpcEtcdWriter() override { connection_->Close(); }

  Result<bool> Commit(const EtcdTransaction& transaction) override {
    wire::etcd::TxnRequest request;
    for (const EtcdCondition& condition : transaction.conditions) {
      ToWire(condition, request.add_compare());
    }
    for (const EtcdInterval& interval : transaction.deletes) {
      auto* erase = request.add_success()->mutable_request_delete_range();
      erase->set_key(interval.begin);
      erase->set_range_end(interval.end);
    }
    for (const auto& [key, value] : transaction.puts) {
      auto* put = request.add_success()->mutable_request_put();
      put->set_key(key);
      put->set_value(value);
    }
    wire::etcd::TxnResponse response;
    CDC_RETURN_IF_ERROR(connection_->CallAtMostOnce(kTxn, request, &response));
    return response.succeeded();
  }

 private:
  const std::shared_ptr<EtcdConnection> connection_;
};

}  // namespace

Result<std::unique_ptr<EtcdWriter>> EtcdWriter::Open(EtcdConfig config) {
  CDC_ASSIGN_OR_RETURN(auto connection, EtcdConnection::Open(std::move(config)));
  return std::unique_ptr<EtcdWriter>(std::make_unique<GrpcEtcdWriter>(std::move(connection)));
}

}  // namespace cdc
