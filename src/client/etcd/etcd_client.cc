#include "client/etcd/etcd_client.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/client_unary_call.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/support/sync_stream.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>

#include "base/format.h"
#include "etcd/rpc.pb.h"

namespace cdc {
namespace {

constexpr int kMaxReconnectMillis = 500;
// Long enough for a next attempt to connect, jitter included.
constexpr std::chrono::microseconds kRetryConnect =
    std::chrono::milliseconds(2 * kMaxReconnectMillis);
constexpr char kRange[] = "/etcdserverpb.KV/Range";
constexpr char kTxn[] = "/etcdserverpb.KV/Txn";
constexpr char kWatch[] = "/etcdserverpb.Watch/Watch";
constexpr char kAuthenticate[] = "/etcdserverpb.Auth/Authenticate";

bool Contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

Error Translate(const grpc::Status& status, const std::string& endpoint) {
  const std::string& detail = status.error_message();
  const std::string where = "etcd " + endpoint;
  switch (status.error_code()) {
    case grpc::StatusCode::OUT_OF_RANGE:
      if (Contains(detail, "compacted")) {
        return RetryError(where + ": the wanted revision is compacted", ErrorKind::kCompacted);
      }
      return RetryError(where + ": " + detail);
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::INVALID_ARGUMENT:
      return InvalidError(
          Format("{} refuses us: {}; check the user name, the password and the "
                 "user's read permission",
                 where, detail));
    case grpc::StatusCode::UNIMPLEMENTED:
      return FatalError(where + " does not speak etcd's v3 API: " + detail,
                        ErrorKind::kUnsupported);
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return RetryError(where + " did not answer in time", ErrorKind::kUnavailable);
    default:
      return RetryError(where + " is not reachable: " + detail, ErrorKind::kUnavailable);
  }
}

bool IsEndpointAway(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::DEADLINE_EXCEEDED ||
         code == grpc::StatusCode::UNKNOWN || code == grpc::StatusCode::INTERNAL;
}

// The token ran out, the server restarted and forgot it, or users were changed meanwhile.
bool IsTokenStale(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAUTHENTICATED ||
         Contains(status.error_message(), "revision of auth store is old");
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

struct Endpoint {
  std::string address;
  std::shared_ptr<grpc::Channel> channel;
};

// What calls and watches share; a watch may outlive its client.
struct Connection {
  EtcdConfig config;
  std::vector<Endpoint> endpoints;

  std::mutex mutex;
  size_t current = 0;
  std::string token;
  bool auth_disabled = false;  // the server said that it has no users
  bool closed = false;
  std::set<grpc::ClientContext*> contexts;

  size_t Current() {
    std::lock_guard lock(mutex);
    return current;
  }
  // The next endpoint, unless another caller has moved on already.
  void MoveOn(size_t from) {
    std::lock_guard lock(mutex);
    if (current == from) current = (current + 1) % endpoints.size();
  }
  bool Enter(grpc::ClientContext* context) {
    std::lock_guard lock(mutex);
    if (closed) return false;
    contexts.insert(context);
    return true;
  }
  void Leave(grpc::ClientContext* context) {
    std::lock_guard lock(mutex);
    contexts.erase(context);
  }
  void Close() {
    std::lock_guard lock(mutex);
    closed = true;
    for (grpc::ClientContext* context : contexts) context->TryCancel();
  }
  void ForgetToken() {
    std::lock_guard lock(mutex);
    token.clear();
  }

  // Nobody polls an idle channel of the blocking API: left alone, a lost connection would come back
  // late or never. So wait for it here, until it is there or an attempt has failed.
  void Connect(size_t endpoint) {
    grpc::Channel* channel = endpoints[endpoint].channel.get();
    const auto start = std::chrono::steady_clock::now();
    const auto timeout = std::chrono::duration_cast<std::chrono::microseconds>(config.call_timeout);
    grpc_connectivity_state state = channel->GetState(true);
    while (state != GRPC_CHANNEL_READY) {
      {
        std::lock_guard lock(mutex);
        if (closed) return;
      }
      const auto waited = std::chrono::steady_clock::now() - start;
      // A quick refusal is over before the states in between can be seen.
      const bool failing = state == GRPC_CHANNEL_TRANSIENT_FAILURE;
      if (waited > (failing ? std::min(timeout, kRetryConnect) : timeout)) return;
      if (!channel->WaitForStateChange(
              state, std::chrono::system_clock::now() + std::chrono::milliseconds(50))) {
        continue;
      }
      const bool tried = state == GRPC_CHANNEL_CONNECTING;
      state = channel->GetState(true);
      if (tried && state == GRPC_CHANNEL_TRANSIENT_FAILURE) return;
    }
  }

  template <typename Request, typename Response>
  grpc::Status CallOnce(size_t endpoint, const char* path, const std::string& with_token,
                        const Request& request, Response* response) {
    Connect(endpoint);
    grpc::ClientContext context;
    context.set_deadline(
        std::chrono::system_clock::now() +
        std::chrono::duration_cast<std::chrono::microseconds>(config.call_timeout));
    if (!with_token.empty()) context.AddMetadata("token", with_token);
    if (!Enter(&context)) return {grpc::StatusCode::CANCELLED, "the client is closed"};
    const grpc::internal::RpcMethod method(path, nullptr, grpc::internal::RpcMethod::NORMAL_RPC);
    const grpc::Status status =
        grpc::internal::BlockingUnaryCall<Request, Response, google::protobuf::MessageLite,
                                          google::protobuf::MessageLite>(
            endpoints[endpoint].channel.get(), method, &context, request, response);
    Leave(&context);
    return status;
  }

  // An empty token: no user is configured, or the server has authentication off.
  grpc::Status Token(size_t endpoint, std::string* out) {
    {
      std::lock_guard lock(mutex);
      *out = token;
      if (!token.empty() || config.user.empty() || auth_disabled) return grpc::Status::OK;
    }
    wire::etcd::AuthenticateRequest request;
    request.set_name(config.user);
    request.set_password(config.password);
    wire::etcd::AuthenticateResponse response;
    const grpc::Status status = CallOnce(endpoint, kAuthenticate, {}, request, &response);
    std::lock_guard lock(mutex);
    if (status.ok()) {
      token = *out = response.token();
    } else if (Contains(status.error_message(), "authentication is not enabled")) {
      auth_disabled = true;
      return grpc::Status::OK;
    }
    return status;
  }

  template <typename Request, typename Response>
  Status Call(const char* path, const Request& request, Response* response) {
    bool renewed = false;
    grpc::Status status;
    size_t endpoint = 0;
    for (size_t attempt = 0; attempt < endpoints.size();) {
      endpoint = Current();
      std::string with_token;
      status = Token(endpoint, &with_token);
      if (status.ok()) status = CallOnce(endpoint, path, with_token, request, response);
      if (status.ok()) return {};
      if (IsTokenStale(status) && !config.user.empty() && !renewed) {
        renewed = true;
        ForgetToken();
        continue;
      }
      if (!IsEndpointAway(status.error_code())) break;
      MoveOn(endpoint);
      ++attempt;
    }
    return Translate(status, endpoints[endpoint].address);
  }
};

class Watch final : public EtcdWatch {
 public:
  Watch(std::shared_ptr<Connection> connection, const EtcdInterval& interval, int64_t from)
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
    connection_->Connect(endpoint_);
    std::string token;
    const grpc::Status status = connection_->Token(endpoint_, &token);
    if (!status.ok()) {
      connection_->MoveOn(endpoint_);
      return Translate(status, connection_->endpoints[endpoint_].address);
    }
    if (!token.empty()) context_.AddMetadata("token", token);
    // A member cut off from its cluster ends the watch instead of staying silent.
    context_.AddMetadata("hasleader", "true");
    const grpc::internal::RpcMethod method(kWatch, nullptr,
                                           grpc::internal::RpcMethod::BIDI_STREAMING);
    stream_.reset(
        grpc::internal::
            ClientReaderWriterFactory<wire::etcd::WatchRequest, wire::etcd::WatchResponse>::Create(
                connection_->endpoints[endpoint_].channel.get(), method, &context_));
    if (!stream_->Write(request_)) return Broken();
    return {};
  }

  Error Broken() {
    finished_ = true;
    const grpc::Status status = stream_->Finish();
    if (IsTokenStale(status)) {
      connection_->ForgetToken();
      return RetryError("etcd's authentication token ran out", ErrorKind::kUnavailable);
    }
    connection_->MoveOn(endpoint_);
    return Translate(status, connection_->endpoints[endpoint_].address);
  }

  const std::shared_ptr<Connection> connection_;
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
  GrpcEtcdClient(std::shared_ptr<Connection> connection, std::string endpoints)
      : connection_(std::move(connection)), endpoints_(std::move(endpoints)) {}
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
        return RetryError(Format("etcd {}: endpoints belong to different clusters", endpoints_));
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
  const std::string& endpoints() const override { return endpoints_; }

 private:
  const std::shared_ptr<Connection> connection_;
  const std::string endpoints_;
};

Result<std::string> ReadPem(const std::string& path, const char* what) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  if (!file) return InvalidError(Format("cannot read etcd's {} '{}'", what, path));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Result<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const EtcdConfig& config, bool tls) {
  if (!tls) return grpc::InsecureChannelCredentials();
  if (config.client_pem_path.empty() != config.client_key_path.empty()) {
    return InvalidError("etcd over TLS: the client certificate and its key belong together");
  }
  grpc::SslCredentialsOptions options;
  CDC_ASSIGN_OR_RETURN(options.pem_root_certs, ReadPem(config.ca_pem_path, "CA certificate"));
  CDC_ASSIGN_OR_RETURN(options.pem_cert_chain,
                       ReadPem(config.client_pem_path, "client certificate"));
  CDC_ASSIGN_OR_RETURN(options.pem_private_key, ReadPem(config.client_key_path, "client key"));
  return grpc::SslCredentials(options);
}

grpc::ChannelArguments ChannelSettings(const EtcdConfig& config, bool tls) {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(512 << 20);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // A server that froze or a cable that was cut ends a watch within 15 s. etcd allows a ping every
  // 5 s while a call is open.
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectMillis);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);  // in fact the time to connect
  if (tls && !config.server_name.empty()) args.SetSslTargetNameOverride(config.server_name);
  return args;
}

}  // namespace

Result<std::unique_ptr<EtcdClient>> EtcdClient::Open(EtcdConfig config) {
  if (config.endpoints.empty()) return InvalidError("no etcd endpoint is configured");
  auto connection = std::make_shared<Connection>();
  std::string names;
  for (const std::string& given : config.endpoints) {
    std::string address = given;
    bool tls = config.tls;
    if (address.starts_with("https://")) {
      tls = true;
      address.erase(0, 8);
    } else if (address.starts_with("http://")) {
      address.erase(0, 7);
    }
    while (address.ends_with('/')) address.pop_back();
    const size_t colon = address.rfind(':');
    if (colon == std::string::npos || colon == 0 ||
        address.find_first_not_of("0123456789", colon + 1) != std::string::npos ||
        colon + 1 == address.size()) {
      return InvalidError(Format("etcd endpoint '{}' is not host:port", given));
    }
    CDC_ASSIGN_OR_RETURN(auto credentials, Credentials(config, tls));
    auto channel = grpc::CreateCustomChannel(address, credentials, ChannelSettings(config, tls));
    names += (names.empty() ? "" : ", ") + address;
    connection->endpoints.push_back({std::move(address), std::move(channel)});
  }
  connection->config = std::move(config);
  return std::unique_ptr<EtcdClient>(
      std::make_unique<GrpcEtcdClient>(std::move(connection), std::move(names)));
}

}  // namespace cdc
