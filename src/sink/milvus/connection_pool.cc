#include "sink/milvus/connection_pool.h"

#include <utility>

namespace cdc {

ConnectionPool::ConnectionPool(TargetAddress address, size_t max)
    : address_(std::move(address)), max_(max) {}

void ConnectionPool::Borrow(Lent lent) {
  if (lent_.size() >= max_) {
    waiting_.push_back(std::move(lent));
    return;
  }
  if (idle_.empty()) {
    auto opened = MilvusClient::Open(address_);
    if (!opened) return lent(opened.error());
    idle_.push_back(*std::move(opened));
  }
  std::shared_ptr<MilvusClient> client = std::move(idle_.back());
  idle_.pop_back();
  MilvusClient* const raw = client.get();
  lent_.emplace(raw, std::move(client));
  lent(raw);
}

void ConnectionPool::GiveBack(MilvusClient* client) {
  const auto it = lent_.find(client);
  idle_.push_back(std::move(it->second));
  lent_.erase(it);
  ServeNext();
}

void ConnectionPool::Close(MilvusClient* client) {
  lent_.erase(client);
  idle_.clear();
  ServeNext();
}

void ConnectionPool::ServeNext() {
  while (!waiting_.empty() && lent_.size() < max_) {
    const Lent next = std::move(waiting_.front());
    waiting_.pop_front();
    Borrow(next);
  }
}

}  // namespace cdc
