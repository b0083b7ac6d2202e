// The inside of MilvusClient, shared by its .cc files. Includes protobuf: src/client/milvus only.
#pragma once

#include <memory>
#include <string>

#include "base/format.h"
#include "client/milvus/milvus_client.h"
#include "client/milvus/milvus_client_channel.h"
#include "milvus/service.pb.h"

namespace cdc {

using namespace std::chrono_literals;

// Deadlines: metadata calls wait for the target's etcd, writes for its log.
// nodes.
inline constexpr Duration kReadTimeout = 10s;
inline constexpr Duration kDdlTimeout = 30s;
inline constexpr Duration kWriteTimeout = 60s;
// A standby answers a flush only once ticks have made its data nodes watch the channels.
inline constexpr Duration kFlushTimeout = 10s;

struct MilvusClient::Impl {
  std::unique_ptr<MilvusChannel> channel;
  std::string endpoint;
};

// Success, or the translated error.
inline Status CheckStatus(const MilvusChannel& channel, MilvusCallClass call, const char* method,
                          const wire::CallStatus& status) {
  if (status.code() == 0 && status.error_code() == 0) return OkStatus();
  return TranslateMilvusStatus(call, method, status.code(), status.error_code(),
                               channel.Redact(status.reason()));
}

// A call whose answer is Response with a `status` field; `done` gets the parsed answer.
template <typename Response, typename Request>
void CallMilvus(MilvusChannel& channel, const char* method, MilvusCallClass call,
                const Request& request, const std::string& database, Duration timeout,
                std::function<void(Result<Response>)> done) {
  Slices bytes;
  if constexpr (std::is_same_v<Request, Slices>) {
    bytes = request;
  } else {
    bytes.Append(request.SerializeAsString());
  }
  channel.Call(method, call, bytes, database, timeout,
               [&channel, method, call, done = std::move(done)](Result<std::string> answer) {
                 if (!answer) return done(answer.error());
                 Response response;
                 if (!response.ParseFromString(*answer)) {
                   return done(CorruptError(Format("Milvus {}: unreadable answer", method)));
                 }
                 if constexpr (std::is_same_v<Response, wire::CallStatus>) {
                   const Status status = CheckStatus(channel, call, method, response);
                   if (!status) return done(status.error());
                 } else {
                   const Status status = CheckStatus(channel, call, method, response.status());
                   if (!status) return done(status.error());
                 }
                 done(std::move(response));
               });
}

// A write whose answer is a bare status.
template <typename Request>
void CallForStatus(MilvusChannel& channel, const char* method, const Request& request,
                   const std::string& database, Duration timeout, MilvusDone<Status> done) {
  CallMilvus<wire::CallStatus>(channel, method, MilvusCallClass::kWrite, request, database, timeout,
                               [done = std::move(done)](Result<wire::CallStatus> answer) {
                                 done(answer ? OkStatus() : Status(answer.error()));
                               });
}

}  // namespace cdc
