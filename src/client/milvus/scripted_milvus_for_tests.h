// A gRPC server that answers what a test says, for what a real Milvus answers once in a thousand
// times. Not part of the product.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/task.h"

namespace cdc {

// Answers every call by its method, with the bytes of a message; `answers` is called one at a time.
class ScriptedMilvus final : public grpc::CallbackGenericService {
 public:
  using Answers = std::function<std::string(const std::string& method)>;

  explicit ScriptedMilvus(Answers answers) : answers_(std::move(answers)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterCallbackGenericService(this);
    server_ = builder.BuildAndStart();
  }
  ~ScriptedMilvus() override { server_->Shutdown(); }

  TargetAddress address() const {
    TargetAddress address;
    address.host = "127.0.0.1";
    address.port = static_cast<uint16_t>(port_);
    return address;
  }
  std::vector<std::string> called() {
    const std::lock_guard lock(mutex_);
    return called_;
  }
  // The connection that each of `called` came on: the address of its other end.
  std::vector<std::string> called_on() {
    const std::lock_guard lock(mutex_);
    return called_on_;
  }
  size_t connections() {
    const std::vector<std::string> all = called_on();
    return std::set<std::string>(all.begin(), all.end()).size();
  }

 private:
  class Call final : public grpc::ServerGenericBidiReactor {
   public:
    Call(ScriptedMilvus* owner, std::string method, std::string peer)
        : owner_(owner), method_(std::move(method)), peer_(std::move(peer)) {
      StartRead(&request_);
    }
    void OnReadDone(bool) override {
      const grpc::Slice bytes(owner_->Answer(method_, peer_));
      answer_ = grpc::ByteBuffer(&bytes, 1);
      StartWriteAndFinish(&answer_, grpc::WriteOptions(), grpc::Status::OK);
    }
    void OnDone() override { delete this; }

   private:
    ScriptedMilvus* const owner_;
    const std::string method_, peer_;
    grpc::ByteBuffer request_, answer_;
  };

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    const std::string path = context->method();
    return new Call(this, path.substr(path.rfind('/') + 1), context->peer());
  }
  std::string Answer(const std::string& method, const std::string& peer) {
    const std::lock_guard lock(mutex_);
    called_.push_back(method);
    called_on_.push_back(peer);
    return answers_(method);
  }

  const Answers answers_;
  int port_ = 0;
  std::mutex mutex_;
  std::vector<std::string> called_, called_on_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace cdc
