// ConnectionPool: the connections to one target, lent to one user at a time.
//
// There are `max` at most: who wants one while all are lent waits, first come first served. A lent
// one comes back fit (the next user gets it, the latest first, so that the others may fall idle:
// gRPC closes their sockets) or is closed: what was called on it is cancelled, and nobody meets it
// again. Used on one executor; nothing blocks, but closing waits for callbacks of calls in flight.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "client/milvus/milvus_client.h"
#include "model/task.h"

namespace cdc {

class ConnectionPool {
 public:
  // The client is the pool's, and the user's until it is given back or closed. Errors: kInvalid
  // (certificate files).
  using Lent = std::function<void(Result<MilvusClient*>)>;

  ConnectionPool(TargetAddress address, size_t max);

  // `lent` runs before this returns, or within a later GiveBack or Close.
  void Borrow(Lent lent);
  // Its calls have ended, and none of them leaves a doubt about the connection.
  void GiveBack(MilvusClient* client);
  // Closes those that are idle as well: what broke this one may have broken them, unnoticed.
  void Close(MilvusClient* client);

  size_t lent() const { return lent_.size(); }
  size_t idle() const { return idle_.size(); }

 private:
  void ServeNext();

  const TargetAddress address_;
  const size_t max_;
  std::deque<Lent> waiting_;
  std::vector<std::shared_ptr<MilvusClient>> idle_;  // the latest last
  std::unordered_map<MilvusClient*, std::shared_ptr<MilvusClient>> lent_;
};

}  // namespace cdc
