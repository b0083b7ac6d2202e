// AckTracker: from which position a channel must be read again after a crash.
//
// Every change that was read gets a token and stays outstanding until it is acknowledged, whatever
// happens to it in between: waiting for its tick, held back, sent. From that follow
//   seek    the lowest log id of anything read and not acknowledged, or above the filter,
//   filter  the timestamp up to which everything is acknowledged.
// What is acknowledged above the filter is read again with the rest: were an earlier change
// repeated without the later ones that stand before it in the log, a delete would undo an insert
// for good. "The last acknowledged id" would not do: rows stand in the log before lower-stamped
// ticks and rows. Owned by a Channel; not shared.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "model/position.h"
#include "model/timestamp.h"

namespace cdc {

class AckTracker {
 public:
  // `start`: where reading begins; `filter`: what is acknowledged from before.
  AckTracker(LogPosition start, Timestamp filter) : start_(start), resolved_(filter) {}

  // Records a change read at `id`; ids must rise. Returns its token.
  uint64_t Add(const LogId& id, Timestamp ts);
  // Records that `id` was read and needs no acknowledgement.
  void Seen(const LogId& id);
  // Records that every change with ts <= `tick` has been read.
  void Resolve(Timestamp tick);
  // Acknowledges; a second time is a no-op.
  void Ack(uint64_t token);

  LogPosition Seek() const;
  Timestamp Filter() const;
  // The lowest timestamp not yet acknowledged; 0 when there is none.
  Timestamp OldestOutstanding() const { return by_ts_.empty() ? 0 : by_ts_.top().first; }
  size_t outstanding() const { return outstanding_; }

 private:
  struct Entry {
    LogId id;
    Timestamp ts = 0;
    bool acked = false;
  };

  bool IsOutstanding(uint64_t token) const {
    return token >= first_token_ && !entries_[token - first_token_].acked;
  }
  void Forget();

  LogPosition start_;
  Timestamp resolved_;
  std::deque<Entry> entries_;  // by token, from first_token_
  uint64_t first_token_ = 1;
  // (timestamp, token) of what is outstanding, the lowest on top; below it, some may be
  // acknowledged already.
  using TsToken = std::pair<Timestamp, uint64_t>;
  std::priority_queue<TsToken, std::vector<TsToken>, std::greater<>> by_ts_;
  size_t outstanding_ = 0;
  LogId last_read_;
  bool any_read_ = false;
};

}  // namespace cdc
