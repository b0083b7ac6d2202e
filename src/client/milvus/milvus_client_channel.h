// MilvusChannel: one HTTP/2 connection to a Milvus; bytes in, bytes out. Internal to MilvusClient.
//
// Call() may be used from any thread and does not block; its callback runs on a gRPC thread,
// exactly once. Close() and the destructor must not run in one.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/wire.h"
#include "client/milvus/milvus_status.h"
#include "model/task.h"

namespace cdc {

class MilvusChannel {
 public:
  // Errors: kInvalid (certificate files that cannot be read). Does not connect yet.
  static Result<std::unique_ptr<MilvusChannel>> Open(const TargetAddress& address);
  ~MilvusChannel();  // closes
  MilvusChannel(const MilvusChannel&) = delete;
  MilvusChannel& operator=(const MilvusChannel&) = delete;

  // Starts `method` of MilvusService. `done` gets the answer's bytes or a translated error.
  void Call(const char* method, MilvusCallClass call, const Slices& request,
            const std::string& database, Duration timeout,
            std::function<void(Result<std::string>)> done);
  // Cancels what is in flight and waits for the callbacks, which may call again meanwhile.
  void Close();
  // Removes the token from a text that a server sent.
  std::string Redact(std::string text) const;

 private:
  struct Calls;
  struct State;
  explicit MilvusChannel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cdc
