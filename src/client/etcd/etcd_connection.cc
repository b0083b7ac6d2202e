#include <algorithm>
#include <fstream>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/format.h"
#include "client/etcd/etcd_connection_impl.h"
#include "etcd/rpc.pb.h"

namespace cdc {
namespace {

constexpr int kMaxReconnectMillis = 500;
// Long enough for a next attempt to connect, jitter included.
constexpr std::chrono::microseconds kRetryConnect =
    std::chrono::milliseconds(2 * kMaxReconnectMillis);
constexpr char kAuthenticate[] = "/etcdserverpb.Auth/Authenticate";

bool Contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

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

// "host:port" of an endpoint in any of its spellings; kInvalid if it is none.
Result<std::string> AddressOf(const std::string& given, bool* tls) {
  std::string address = given;
  if (address.starts_with("https://")) {
    *tls = true;
    address.erase(0, 8);
  } else if (address.starts_with("http://")) {
    address.erase(0, 7);
  }
  while (address.ends_with('/')) address.pop_back();
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size() ||
      address.find_first_not_of("0123456789", colon + 1) != std::string::npos) {
    return InvalidError(Format("etcd endpoint '{}' is not host:port", given));
  }
  return address;
}

}  // namespace

Error TranslateEtcd(const grpc::Status& status, const std::string& endpoint) {
  const std::string& detail = status.error_message();
  const std::string where = "etcd " + endpoint;
  switch (status.error_code()) {
    case grpc::StatusCode::OUT_OF_RANGE:
      if (Contains(detail, "compacted")) {
        return RetryError(where + ": the wanted revision is compacted", ErrorKind::kCompacted);
      }
      return RetryError(where + ": " + detail);
    case grpc::StatusCode::RESOURCE_EXHAUSTED:  // also when its space quota is used up
      return RetryError(where + " cannot take more: " + detail);
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::INVALID_ARGUMENT:
      if (Contains(detail, "too large") || Contains(detail, "too many operations")) {
        return FatalError(
            Format("{}: {}; its limits (--max-request-bytes, --max-txn-ops) are below "
                   "etcd's defaults",
                   where, detail));
      }
      return InvalidError(
          Format("{} refuses us: {}; check the user name, the password and the "
                 "user's permission",
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

bool IsEtcdEndpointAway(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::DEADLINE_EXCEEDED ||
         code == grpc::StatusCode::UNKNOWN || code == grpc::StatusCode::INTERNAL;
}

bool IsEtcdTokenStale(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAUTHENTICATED ||
         Contains(status.error_message(), "revision of auth store is old");
}

Result<std::shared_ptr<EtcdConnection>> EtcdConnection::Open(EtcdConfig config) {
  if (config.endpoints.empty()) return InvalidError("no etcd endpoint is configured");
  std::shared_ptr<EtcdConnection> connection(new EtcdConnection);
  for (const std::string& given : config.endpoints) {
    bool tls = config.tls;
    CDC_ASSIGN_OR_RETURN(std::string address, AddressOf(given, &tls));
    CDC_ASSIGN_OR_RETURN(auto credentials, Credentials(config, tls));
    auto channel = grpc::CreateCustomChannel(address, credentials, ChannelSettings(config, tls));
    connection->names_ += (connection->names_.empty() ? "" : ", ") + address;
    connection->endpoints_.push_back({std::move(address), std::move(channel)});
  }
  connection->config_ = std::move(config);
  return connection;
}

size_t EtcdConnection::Current() {
  std::lock_guard lock(mutex_);
  return current_;
}

void EtcdConnection::MoveOn(size_t from) {
  std::lock_guard lock(mutex_);
  if (current_ == from) current_ = (current_ + 1) % endpoints_.size();
}

// Nobody polls an idle channel of the blocking API: left alone, a lost connection would come back
// late or never. So wait for it here, until it is there or an attempt has failed.
bool EtcdConnection::Connect(size_t endpoint) {
  grpc::Channel* channel = endpoints_[endpoint].channel.get();
  const auto start = std::chrono::steady_clock::now();
  const auto timeout = std::chrono::duration_cast<std::chrono::microseconds>(config_.call_timeout);
  grpc_connectivity_state state = channel->GetState(true);
  while (state != GRPC_CHANNEL_READY) {
    {
      std::lock_guard lock(mutex_);
      if (closed_) return false;
    }
    const auto waited = std::chrono::steady_clock::now() - start;
    // A quick refusal is over before the states in between can be seen.
    const bool failing = state == GRPC_CHANNEL_TRANSIENT_FAILURE;
    if (waited > (failing ? std::min(timeout, kRetryConnect) : timeout)) return false;
    if (!channel->WaitForStateChange(
            state, std::chrono::system_clock::now() + std::chrono::milliseconds(50))) {
      continue;
    }
    const bool tried = state == GRPC_CHANNEL_CONNECTING;
    state = channel->GetState(true);
    if (tried && state == GRPC_CHANNEL_TRANSIENT_FAILURE) return false;
  }
  return true;
}

bool EtcdConnection::Enter(grpc::ClientContext* context) {
  std::lock_guard lock(mutex_);
  if (closed_) return false;
  contexts_.insert(context);
  return true;
}

void EtcdConnection::Leave(grpc::ClientContext* context) {
  std::lock_guard lock(mutex_);
  contexts_.erase(context);
}

void EtcdConnection::Close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  for (grpc::ClientContext* context : contexts_) context->TryCancel();
}

void EtcdConnection::ForgetToken() {
  std::lock_guard lock(mutex_);
  token_.clear();
}

grpc::Status EtcdConnection::Token(size_t endpoint, std::string* token) {
  {
    std::lock_guard lock(mutex_);
    *token = token_;
    if (!token_.empty() || config_.user.empty() || auth_disabled_) return grpc::Status::OK;
  }
  wire::etcd::AuthenticateRequest request;
  request.set_name(config_.user);
  request.set_password(config_.password);
  wire::etcd::AuthenticateResponse response;
  (void)Connect(endpoint);
  const grpc::Status status = Send(endpoint, kAuthenticate, {}, request, &response);
  std::lock_guard lock(mutex_);
  if (status.ok()) {
    token_ = *token = response.token();
  } else if (Contains(status.error_message(), "authentication is not enabled")) {
    auth_disabled_ = true;
    return grpc::Status::OK;
  }
  return status;
}

}  // namespace cdc
