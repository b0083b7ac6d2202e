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

  // `max_request` bytes are taken at once; gRPC itself refuses what is larger.
  explicit ScriptedMilvus(Answers answers, int max_request = 4 << 20)
      : answers_(std::move(answers)) {
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(max_request);
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
  // The requests of `called`.
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  // Calls whose request was too large to come, when none is in flight.
  size_t refused() {
    const std::lock_guard lock(mutex_);
    return begun_ - called_.size();
  }
  // The status of each later call, for what only a gateway says.
  void EndCallsWith(std::function<grpc::Status(size_t request_bytes)> status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
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
    void OnReadDone(bool ok) override {
      if (!ok) return Finish(grpc::Status::CANCELLED);  // gRPC has told the caller why
      const grpc::Slice bytes(owner_->Answer(method_, peer_, Text(request_)));
      answer_ = grpc::ByteBuffer(&bytes, 1);
      StartWriteAndFinish(&answer_, grpc::WriteOptions(), owner_->StatusOf(request_.Length()));
    }
    void OnDone() override { delete this; }

   private:
    static std::string Text(const grpc::ByteBuffer& buffer) {
      std::vector<grpc::Slice> slices;
      std::string text;
      if (!buffer.Dump(&slices).ok()) return text;
      for (const grpc::Slice& slice : slices) {
        text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
      }
      return text;
    }

    ScriptedMilvus* const owner_;
    const std::string method_, peer_;
    grpc::ByteBuffer request_, answer_;
  };

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    {
      const std::lock_guard lock(mutex_);
      ++begun_;
    }
    const std::string path = context->method();
    return new Call(this, path.substr(path.rfind('/') + 1), context->peer());
  }
  grpc::Status StatusOf(size_t request_bytes) {
    const std::lock_guard lock(mutex_);
    return status_ ? status_(request_bytes) : grpc::Status::OK;
  }
  std::string Answer(const std::string& method, const std::string& peer, std::string request) {
    const std::lock_guard lock(mutex_);
    called_.push_back(method);
    requests_.push_back(std::move(request));
    called_on_.push_back(peer);
    return answers_(method);
  }

  const Answers answers_;
  int port_ = 0;
  std::mutex mutex_;
  std::vector<std::string> called_, called_on_, requests_;
  std::function<grpc::Status(size_t)> status_;
  size_t begun_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace cdc
