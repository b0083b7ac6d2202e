#include "pipeline/ack_tracker.h"

#include <algorithm>

namespace cdc {

uint64_t AckTracker::Add(const LogId& id, Timestamp ts) {
  Seen(id);
  entries_.push_back({id, ts, false});
  ++outstanding_;
  const uint64_t token = first_token_ + entries_.size() - 1;
  by_ts_.emplace(ts, token);
  return token;
}

void AckTracker::Seen(const LogId& id) {
  last_read_ = id;
  any_read_ = true;
}

void AckTracker::Resolve(Timestamp tick) {
  resolved_ = std::max(resolved_, tick);
  Forget();
}

void AckTracker::Ack(uint64_t token) {
  if (token < first_token_ || token - first_token_ >= entries_.size()) return;
  Entry& entry = entries_[token - first_token_];
  if (entry.acked) return;
  entry.acked = true;
  --outstanding_;
  while (!by_ts_.empty() && !IsOutstanding(by_ts_.top().second)) by_ts_.pop();
  Forget();
}

void AckTracker::Forget() {
  const Timestamp filter = Filter();
  while (!entries_.empty() && entries_.front().acked && entries_.front().ts <= filter) {
    entries_.pop_front();
    ++first_token_;
  }
}

LogPosition AckTracker::Seek() const {
  if (!entries_.empty()) return {LogPosition::Kind::kAt, entries_.front().id};
  if (any_read_) return {LogPosition::Kind::kAfter, last_read_};
  return start_;
}

Timestamp AckTracker::Filter() const {
  if (by_ts_.empty()) return resolved_;
  return std::min(resolved_, by_ts_.top().first - 1);
}

}  // namespace cdc
