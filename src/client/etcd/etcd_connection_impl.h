// The channels to etcd's endpoints, with TLS, authentication and the renewal of its token: what
// EtcdClient and EtcdWriter share. Includes gRPC: for the .cc files of src/client/etcd only.
//
// Safe from any thread. Calls block, up to the call timeout times the number of endpoints.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/client_unary_call.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/rpc_method.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "client/etcd/etcd_client.h"

namespace cdc {

Error TranslateEtcd(const grpc::Status& status, const std::string& endpoint);
bool IsEtcdEndpointAway(grpc::StatusCode code);
// The token ran out, the server restarted and forgot it, or users were changed meanwhile.
bool IsEtcdTokenStale(const grpc::Status& status);

class EtcdConnection {
 public:
  // Checks the configuration and reads the certificate files; does not connect.
  static Result<std::shared_ptr<EtcdConnection>> Open(EtcdConfig config);

  // ---- endpoints, by number
  size_t Current();
  // The next endpoint, unless another caller has moved on already.
  void MoveOn(size_t from);
  // Waits until it is connected; false: an attempt has failed, or none came to an end in time.
  bool Connect(size_t endpoint);
  const std::string& address(size_t endpoint) const { return endpoints_[endpoint].address; }
  grpc::Channel* channel(size_t endpoint) const { return endpoints_[endpoint].channel.get(); }
  const std::string& names() const { return names_; }

  // ---- calls that Close() shall end: between Enter (false: closed already) and Leave
  bool Enter(grpc::ClientContext* context);
  void Leave(grpc::ClientContext* context);
  void Close();

  // ---- authentication
  // An empty token: no user is configured, or the server has authentication off.
  grpc::Status Token(size_t endpoint, std::string* token);
  void ForgetToken();

  // Makes the call, at the next endpoint if one is away. For calls that may be made twice.
  template <typename Request, typename Response>
  Status Call(const char* path, const Request& request, Response* response) {
    return Call(path, request, response, true);
  }
  // The same, but never sends it again where it may have arrived: then kUnknownOutcome.
  template <typename Request, typename Response>
  Status CallAtMostOnce(const char* path, const Request& request, Response* response) {
    return Call(path, request, response, false);
  }

 private:
  struct Endpoint {
    std::string address;
    std::shared_ptr<grpc::Channel> channel;
  };

  EtcdConnection() = default;

  template <typename Request, typename Response>
  grpc::Status Send(size_t endpoint, const char* path, const std::string& token,
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(
        std::chrono::system_clock::now() +
        std::chrono::duration_cast<std::chrono::microseconds>(config_.call_timeout));
    if (!token.empty()) context.AddMetadata("token", token);
    if (!Enter(&context)) return {grpc::StatusCode::CANCELLED, "the client is closed"};
    const grpc::internal::RpcMethod method(path, nullptr, grpc::internal::RpcMethod::NORMAL_RPC);
    const grpc::Status status =
        grpc::internal::BlockingUnaryCall<Request, Response, google::protobuf::MessageLite,
                                          google::protobuf::MessageLite>(
            channel(endpoint), method, &context, request, response);
    Leave(&context);
    return status;
  }

  template <typename Request, typename Response>
  Status Call(const char* path, const Request& request, Response* response, bool repeatable) {
    bool renewed = false;
    grpc::Status status;
    size_t endpoint = 0;
    for (size_t attempt = 0; attempt < endpoints_.size();) {
      endpoint = Current();
      bool sent = false;
      std::string token;
      status = Token(endpoint, &token);
      if (status.ok()) {
        sent = Connect(endpoint) || repeatable;  // what is not connected tells why when it is tried
        status = sent ? Send(endpoint, path, token, request, response)
                      : grpc::Status(grpc::StatusCode::UNAVAILABLE, "cannot connect");
      }
      if (status.ok()) return {};
      if (IsEtcdTokenStale(status) && !config_.user.empty() && !renewed) {
        renewed = true;
        ForgetToken();
        continue;
      }
      if (!IsEtcdEndpointAway(status.error_code())) break;
      MoveOn(endpoint);
      if (sent && !repeatable) {
        return RetryError(TranslateEtcd(status, address(endpoint)).message,
                          ErrorKind::kUnknownOutcome);
      }
      ++attempt;
    }
    return TranslateEtcd(status, address(endpoint));
  }

  EtcdConfig config_;
  std::vector<Endpoint> endpoints_;
  std::string names_;

  std::mutex mutex_;
  size_t current_ = 0;
  std::string token_;
  bool auth_disabled_ = false;  // the server said that it has no users
  bool closed_ = false;
  std::set<grpc::ClientContext*> contexts_;
};

}  // namespace cdc
