#include "client/etcd/etcd_client.h"

#include <grpcpp/support/sync_stream.h>

#include <iterator>
#include <string_view>
#include <utility>

#include "base/format.h"
#include "client/etcd/etcd_connection_impl.h"
#include "etcd/rpc.pb.h"

namespace cdc {
namespace {

constexpr char kRange[] = "/etcdserverpb.KV/Range";
constexpr char kTxn[] = "/etcdserverpb.KV/Txn";
constexpr char kWatch[] = "/etcdserverpb.Watch/Watch";

bool Contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

EtcdKeyValue FromWire(wire::etcd::KeyValue* kv) {
  EtcdKeyValue out;
  out.key = std::move(*kv->mutable_key());
  out.value = std::move(*kv->mutable_value());
  out.create_revision = kv->create_revision();
  out.mod_revision = kv->mod_revision();
  return out;
}

std::vector<EtcdKeyValue> FromWire(wire::etcd::RangeResponse* response) {
  std::vector<EtcdKeyValue> kvs;
  kvs.reserve(response->kvs_size());
  for (auto& kv : *response->mutable_kvs()) kvs.push_back(FromWire(&kv));
  return kvs;
}

class Watch final : public EtcdWatch {
 public:
  Watch(std::shared_ptr<EtcdConnection> connection, const EtcdInterval& interval, int64_t from)
      : connection_(std::move(connection)) {
    auto* create = request_.mutable_create_request();
    create->set_key(interval.begin);
    create->set_range_end(interval.end);
    create->set_start_revision(from);
    entered_ = connection_->Enter(&context_);
  }

  ~Watch() override {
    context_.TryCancel();
    if (stream_ != nullptr && !finished_) (void)stream_->Finish();
    if (entered_) connection_->Leave(&context_);
  }

  Result<EtcdEvents> Next() override {
    if (finished_) return RetryError("the etcd watch has ended", ErrorKind::kUnavailable);
    if (stream_ == nullptr) CDC_RETURN_IF_ERROR(Begin());
    wire::etcd::WatchResponse response;
    if (!stream_->Read(&response)) return Broken();
    if (response.compact_revision() != 0) {
      return RetryError(Format("etcd has compacted up to revision {}", response.compact_revision()),
                        ErrorKind::kCompacted);
    }
    if (response.canceled()) {
      const std::string& reason = response.cancel_reason();
      if (Contains(reason, "compacted")) return RetryError(reason, ErrorKind::kCompacted);
      if (Contains(reason, "permission denied")) {
        return InvalidError("etcd refuses the watch: " + reason);
      }
      connection_->ForgetToken();
      return RetryError("etcd ended the watch: " + reason, ErrorKind::kUnavailable);
    }
    EtcdEvents out;
    out.cluster_id = response.header().cluster_id();
    out.revision = response.header().revision();
    out.events.reserve(response.events_size());
    for (auto& event : *response.mutable_events()) {
      out.events.push_back({event.type() == 1 ? EtcdEvent::Kind::kDelete : EtcdEvent::Kind::kPut,
                            FromWire(event.mutable_kv())});
    }
    return out;
  }

  void Cancel() override { context_.TryCancel(); }

 private:
  Status Begin() {
    if (!entered_) return RetryError("the etcd client is closed", ErrorKind::kUnavailable);
    endpoint_ = connection_->Current();
    (void)connection_->Connect(endpoint_);  // a failure comes with the first call
    std::string token;
    const grpc::Status status = connection_->Token(endpoint_, &token);
    if (!status.ok()) {
      connection_->MoveOn(endpoint_);
      return TranslateEtcd(status, connection_->address(endpoint_));
    }
    if (!token.empty()) context_.AddMetadata("token", token);
    // A member cut off from its cluster ends the watch instead of staying silent.
    context_.AddMetadata("hasleader", "true");
    const grpc::internal::RpcMethod method(kWatch, nullptr,
                                           grpc::internal::RpcMethod::BIDI_STREAMING);
    stream_.reset(
        grpc::internal::
            ClientReaderWriterFactory<wire::etcd::WatchRequest, wire::etcd::WatchResponse>::Create(
                connection_->channel(endpoint_), method, &context_));
    if (!stream_->Write(request_)) return Broken();
    return {};
  }

  Error Broken() {
    finished_ = true;
    const grpc::Status status = stream_->Finish();
    if (IsEtcdTokenStale(status)) {
      connection_->ForgetToken();
      return RetryError("etcd's authentication token ran out", ErrorKind::kUnavailable);
    }
    connection_->MoveOn(endpoint_);
    return TranslateEtcd(status, connection_->address(endpoint_));
  }

  const std::shared_ptr<EtcdConnection> connection_;
  wire::etcd::WatchRequest request_;
  bool entered_ = false;
  bool finished_ = false;
  size_t endpoint_ = 0;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<wire::etcd::WatchRequest, wire::etcd::WatchResponse>>
      stream_;
};

void ToWire(const EtcdInterval& interval, const EtcdReadOptions& options,
            wire::etcd::RangeRequest* out) {
  out->set_key(interval.begin);
  out->set_range_end(interval.end);
  out->set_revision(options.revision);
  out->set_limit(options.limit);
  out->set_keys_only(options.keys_only);
}

class GrpcEtcdClient final : public EtcdClient {
 public:
  explicit GrpcEtcdClient(std::shared_ptr<EtcdConnection> connection)
      : connection_(std::move(connection)) {}
  ~GrpcEtcdClient() override { Close(); }

  Result<EtcdPage> Range(const EtcdInterval& interval, const EtcdReadOptions& options) override {
    wire::etcd::RangeRequest request;
    ToWire(interval, options, &request);
    wire::etcd::RangeResponse response;
    CDC_RETURN_IF_ERROR(connection_->Call(kRange, request, &response));
    EtcdPage page;
    page.cluster_id = response.header().cluster_id();
    page.revision = response.header().revision();
    page.more = response.more();
    page.kvs = FromWire(&response);
    return page;
  }

  Result<EtcdPage> RangeAll(const EtcdInterval& interval, int64_t page_size) override {
    EtcdReadOptions options;
    options.limit = page_size;
    CDC_ASSIGN_OR_RETURN(EtcdPage all, Range(interval, options));
    options.revision = all.revision;
    EtcdInterval rest = interval;
    while (all.more && !all.kvs.empty()) {
      rest.begin = all.kvs.back().key + '\0';
      CDC_ASSIGN_OR_RETURN(EtcdPage page, Range(rest, options));
      if (page.cluster_id != all.cluster_id) {
        return RetryError(Format("etcd {}: endpoints belong to different clusters", endpoints()));
      }
      all.more = page.more && !page.kvs.empty();
      all.kvs.insert(all.kvs.end(), std::make_move_iterator(page.kvs.begin()),
                     std::make_move_iterator(page.kvs.end()));
    }
    all.more = false;
    return all;
  }

  Result<EtcdTxnAnswer> ReadTxn(const std::vector<EtcdInterval>& intervals,
                                int64_t revision) override {
    if (intervals.size() > kMaxIntervalsInTxn) {
      return FatalError(Format("{} ranges in one etcd transaction; at most {} are possible",
                               intervals.size(), kMaxIntervalsInTxn));
    }
    EtcdReadOptions options;
    options.revision = revision;
    wire::etcd::TxnRequest request;
    for (const EtcdInterval& interval : intervals) {
      ToWire(interval, options, request.add_success()->mutable_request_range());
    }
    wire::etcd::TxnResponse response;
    CDC_RETURN_IF_ERROR(connection_->Call(kTxn, request, &response));
    EtcdTxnAnswer answer;
    answer.cluster_id = response.header().cluster_id();
    answer.revision = response.header().revision();
    for (auto& op : *response.mutable_responses()) {
      answer.ranges.push_back(FromWire(op.mutable_response_range()));
    }
    if (answer.ranges.size() != intervals.size()) {
      return CorruptError(Format("etcd answered {} of {} ranges of a transaction",
                                 answer.ranges.size(), intervals.size()));
    }
    return answer;
  }

  Result<std::unique_ptr<EtcdWatch>> Watch(const EtcdInterval& interval,
                                           int64_t from_revision) override {
    return std::unique_ptr<EtcdWatch>(
        std::make_unique<cdc::Watch>(connection_, interval, from_revision));
  }

  void Close() override { connection_->Close(); }
  const std::string& endpoints() const override { return connection_->names(); }

 private:
  const std::shared_ptr<EtcdConnection> connection_;
};

}  // namespace

Result<std::unique_ptr<EtcdClient>> EtcdClient::Open(EtcdConfig config) {
  CDC_ASSIGN_OR_RETURN(auto connection, EtcdConnection::Open(std::move(config)));
  return std::unique_ptr<EtcdClient>(std::make_unique<GrpcEtcdClient>(std::move(connection)));
}

}  // namespace cdc
