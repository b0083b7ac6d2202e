#include "bench/mock_target.h"

#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>

namespace cdc::bench {
namespace {

using Count = std::atomic<uint64_t>;

// One call: reads the request, waits, answers with an empty message, which means success.
class Call final : public grpc::ServerGenericBidiReactor {
 public:
  Call(Duration latency, Count* calls) : latency_(latency), calls_(calls) { StartRead(&request_); }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no request"));
    ++*calls_;
    request_.Clear();
    alarm_.Set(std::chrono::system_clock::now() + latency_, [this](bool) {
      const grpc::Slice nothing;
      answer_ = grpc::ByteBuffer(&nothing, 1);
      StartWriteAndFinish(&answer_, grpc::WriteOptions(), grpc::Status::OK);
    });
  }
  void OnDone() override { delete this; }

 private:
  const Duration latency_;
  Count* const calls_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer answer_;
  grpc::Alarm alarm_;
};

class Service final : public grpc::CallbackGenericService {
 public:
  explicit Service(Duration latency) : latency_(latency) {}
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    return new Call(latency_, &calls);
  }
  Count calls = 0;

 private:
  const Duration latency_;
};

}  // namespace

struct MockTarget::Impl {
  explicit Impl(Duration latency) : service(latency) {}
  Service service;
  int port = 0;
  std::unique_ptr<grpc::Server> server;
};

MockTarget::MockTarget(Duration latency) : impl_(std::make_unique<Impl>(latency)) {
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(-1);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &impl_->port);
  builder.RegisterCallbackGenericService(&impl_->service);
  impl_->server = builder.BuildAndStart();
}

MockTarget::~MockTarget() {
  impl_->server->Shutdown();
}

TargetAddress MockTarget::address() const {
  TargetAddress address;
  address.host = "127.0.0.1";
  address.port = impl_->port;
  return address;
}

uint64_t MockTarget::calls() const {
  return impl_->service.calls;
}

}  // namespace cdc::bench
