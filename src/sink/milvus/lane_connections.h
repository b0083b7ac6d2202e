// LaneConnections: one connection to the target per lane, opened when first used.
//
// Owned by a sink, used on its executor only. Drop() and the destructor cancel what is in flight on
// the connection and wait for it to end (at once, for nothing is in flight between Sends).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "client/milvus/milvus_client.h"

namespace cdc {

class LaneConnections {
 public:
  explicit LaneConnections(TargetAddress address) : address_(std::move(address)) {}

  // Errors: kInvalid (certificate files).
  Result<std::shared_ptr<MilvusClient>> Get(const std::string& lane) {
    auto it = clients_.find(lane);
    if (it == clients_.end()) {
      CDC_ASSIGN_OR_RETURN(auto client, MilvusClient::Open(address_));
      it = clients_.emplace(lane, std::move(client)).first;
    }
    return it->second;
  }
  void Drop(const std::string& lane) { clients_.erase(lane); }

 private:
  TargetAddress address_;
  std::map<std::string, std::shared_ptr<MilvusClient>> clients_;
};

}  // namespace cdc
