#include "client/milvus/milvus_client_channel.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>

#include "base/base64.h"
#include "base/format.h"

namespace cdc {
namespace {

// Smaller ones are not worth sharing.
constexpr size_t kSmallPiece = 1024;

using Stub = grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer>;

Result<std::string> ReadPem(const char* what, const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || text.str().empty()) {
    return InvalidError(Format("cannot read the {} file '{}'", what, path));
  }
  return text.str();
}

Result<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const TargetAddress& address) {
  if (!address.tls) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  CDC_ASSIGN_OR_RETURN(options.pem_root_certs, ReadPem("CA certificate", address.ca_pem_path));
  CDC_ASSIGN_OR_RETURN(options.pem_cert_chain,
                       ReadPem("client certificate", address.client_pem_path));
  CDC_ASSIGN_OR_RETURN(options.pem_private_key, ReadPem("client key", address.client_key_path));
  return grpc::SslCredentials(options);
}

grpc::ChannelArguments Arguments(const TargetAddress& address) {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(-1);
  args.SetMaxSendMessageSize(-1);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of our own, to give up
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);             // retrying a write is our decision
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  // Despite its name what gRPC gives an attempt to connect, TLS and all, before the back-off
  // counts.
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  if (!address.server_name.empty()) args.SetSslTargetNameOverride(address.server_name);
  return args;
}

// A gRPC slice that keeps `owner` alive.
template <typename Owner>
grpc::Slice Shared(Owner owner, std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size(),
          [](void* o) { delete static_cast<Owner*>(o); }, new Owner(std::move(owner))};
}

// Large pieces are shared; runs of small ones are copied together (a slice with an owner costs
// more, and rows of small messages are many pieces).
grpc::ByteBuffer ToBuffer(const Slices& bytes) {
  std::vector<grpc::Slice> slices;
  std::string small;
  const auto flush = [&] {
    if (small.empty()) return;
    auto owner = std::make_unique<const std::string>(std::exchange(small, {}));
    const std::string_view all = *owner;
    slices.push_back(Shared(std::move(owner), all));
  };
  for (const Slice& piece : bytes.pieces()) {
    if (piece.bytes.size() < kSmallPiece || piece.owner == nullptr) {
      small += piece.bytes;
      continue;
    }
    flush();
    slices.push_back(Shared(piece.owner, piece.bytes));
  }
  flush();
  return {slices.data(), slices.size()};
}

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string out;
  if (!buffer.Valid() || !buffer.Dump(&slices).ok()) return out;
  out.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    out.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return out;
}

struct InFlight {
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
  // Here rather than in gRPC's functor, which is copied and outlives the completion: what `done`
  // captures must be gone before the channel counts the call as ended.
  std::function<void(Result<std::string>)> done;
};

}  // namespace

// Calls in flight and calls that ended. gRPC may only lose its last channel on a thread that is not
// its own (it would join itself), and a ClientContext holds its channel: so contexts are kept here
// until a caller's thread throws them away.
struct MilvusChannel::Calls {
  std::mutex mutex;
  std::condition_variable idle;
  std::map<InFlight*, std::unique_ptr<InFlight>> in_flight;
  std::vector<std::unique_ptr<InFlight>> ended;
};

struct MilvusChannel::State {
  std::string address;  // host:port
  std::string token;
  std::string authorization;
  std::unique_ptr<Stub> stub;
  std::shared_ptr<Calls> calls = std::make_shared<Calls>();
};

MilvusChannel::MilvusChannel(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<MilvusChannel>> MilvusChannel::Open(const TargetAddress& address) {
  CDC_ASSIGN_OR_RETURN(auto credentials, Credentials(address));
  auto state = std::make_unique<State>();
  state->token = address.token;
  if (!address.token.empty()) state->authorization = Base64(address.token);
  const std::string target = address.host_and_port();
  state->address = target;
  state->stub =
      std::make_unique<Stub>(grpc::CreateCustomChannel(target, credentials, Arguments(address)));
  return std::unique_ptr<MilvusChannel>(new MilvusChannel(std::move(state)));
}

MilvusChannel::~MilvusChannel() {
  Close();
}

void MilvusChannel::Close() {
  Calls& calls = *state_->calls;
  std::vector<std::unique_ptr<InFlight>> ended;
  std::unique_lock lock(calls.mutex);
  // A callback may start another call meanwhile: ask again until none is left.
  while (!calls.in_flight.empty()) {
    for (const auto& [key, call] : calls.in_flight) call->context.TryCancel();
    calls.idle.wait_for(lock, std::chrono::milliseconds(10));
  }
  ended.swap(calls.ended);
}

std::string MilvusChannel::Redact(std::string text) const {
  for (const std::string& secret : {state_->token, state_->authorization}) {
    if (secret.empty()) continue;
    for (size_t at = 0; (at = text.find(secret, at)) != std::string::npos;) {
      text.replace(at, secret.size(), "***");
    }
  }
  return text;
}

void MilvusChannel::Call(const char* method, MilvusCallClass call_class, const Slices& request,
                         const std::string& database, Duration timeout,
                         std::function<void(Result<std::string>)> done) {
  auto owned = std::make_unique<InFlight>();
  InFlight* call = owned.get();
  call->context.set_deadline(
      std::chrono::system_clock::now() +
      std::chrono::duration_cast<std::chrono::system_clock::duration>(timeout));
  if (!state_->authorization.empty()) {
    call->context.AddMetadata("authorization", state_->authorization);
  }
  if (!database.empty()) call->context.AddMetadata("dbname", database);
  call->request = ToBuffer(request);
  call->done = std::move(done);
  std::vector<std::unique_ptr<InFlight>> ended;  // destroyed outside the lock
  {
    std::lock_guard lock(state_->calls->mutex);
    ended.swap(state_->calls->ended);
    state_->calls->in_flight.emplace(call, std::move(owned));
  }
  auto finish = [this, calls = state_->calls, call, call_class, method,
                 bytes = request.size()](grpc::Status status) {
    auto callback = std::move(call->done);
    if (status.ok()) {
      callback(ToString(call->response));
    } else {
      callback(TranslateGrpcStatus(call_class, method, status.error_code(),
                                   Redact(status.error_message()), bytes)
                   .Prefixed("target " + state_->address));
    }
    callback = nullptr;
    call->request.Clear();  // large, and perhaps the last owner of a source message
    call->response.Clear();
    std::lock_guard lock(calls->mutex);
    const auto it = calls->in_flight.find(call);
    calls->ended.push_back(std::move(it->second));
    calls->in_flight.erase(it);
    if (calls->in_flight.empty()) calls->idle.notify_all();
  };
  state_->stub->UnaryCall(&call->context, Format("/milvus.proto.milvus.MilvusService/{}", method),
                          {}, &call->request, &call->response, std::move(finish));
}

}  // namespace cdc
