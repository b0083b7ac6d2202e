// Where the answers of a MilvusClient arrive: carried from gRPC's threads to an executor, unless
// who asked is gone by then. A private base of those who ask; used on the executor, which must
// outlive it. Nothing blocks.
#pragma once

#include <functional>
#include <utility>

#include "base/executor.h"
#include "client/milvus/milvus_client.h"
#include "pipeline/ports.h"

namespace cdc {

class Answering {
 public:
  using Done = Callback<Status>;

 protected:
  explicit Answering(Executor* executor) : executor_(executor) {}

  template <typename T>
  MilvusDone<T> Here(std::function<void(T)> fn) {
    return [executor = executor_, guarded = alive_.Guard(std::move(fn))](T value) mutable {
      executor->Post([guarded, value = std::move(value)]() mutable { guarded(std::move(value)); });
    };
  }

  // Like `done`, but an error of `kind` counts as success.
  Done Forgive(ErrorKind kind, Done done) {
    return Here<Status>([kind, done = std::move(done)](Status status) {
      done(!status && status.error().kind == kind ? OkStatus() : status);
    });
  }

  Executor* const executor_;

 private:
  Alive alive_;
};

}  // namespace cdc
