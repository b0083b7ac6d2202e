// DropBarrier: has every source channel of an object passed the object's drop?
//
// A channel has passed when the drop message left its tick buffer (so every earlier row was handed
// on), or when everything up to a watermark, taken when etcd's mark was seen, is acknowledged: the
// log need not hold the message any more. Plain state, owned by the object it is about.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/position.h"
#include "model/timestamp.h"

namespace cdc {

class DropBarrier {
 public:
  explicit DropBarrier(const std::vector<std::string>& channels)
      : waiting_(channels.begin(), channels.end()) {}

  // The drop message of `ts` was met on `channel`; its token stays unacknowledged until the drop
  // has been applied.
  void Message(const std::string& channel, uint64_t token, Timestamp ts) {
    tokens_.emplace_back(channel, token);
    ts_ = ts;
    waiting_.erase(channel);
  }
  void SetWatermarks(std::map<std::string, LogPosition> watermarks) {
    watermarks_ = std::move(watermarks);
  }
  bool has_watermarks() const { return !watermarks_.empty(); }
  const LogPosition* Watermark(const std::string& channel) const {
    const auto it = watermarks_.find(channel);
    return it == watermarks_.end() ? nullptr : &it->second;
  }
  void Pass(const std::string& channel) { waiting_.erase(channel); }

  bool IsWaitingFor(const std::string& channel) const { return waiting_.contains(channel); }
  const std::set<std::string>& waiting() const { return waiting_; }
  bool Complete() const { return waiting_.empty(); }
  Timestamp ts() const { return ts_; }  // of the drop at the source; 0: only the mark is known
  const std::vector<std::pair<std::string, uint64_t>>& tokens() const { return tokens_; }

 private:
  std::set<std::string> waiting_;
  std::map<std::string, LogPosition> watermarks_;
  std::vector<std::pair<std::string, uint64_t>> tokens_;
  Timestamp ts_ = 0;
};

}  // namespace cdc
