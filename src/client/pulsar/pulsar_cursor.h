// PulsarCursor: a place that moves forward in one topic. Finds out when the broker passed over
// messages: reads them if it still has them, and says so if not. Gives no message twice, outlives
// the broker's restarts, and bounds what the broker sends ahead.
//
// One thread; calls block for about `wait`, and longer while the broker does not answer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "client/pulsar/pulsar_connection.h"
#include "client/raw_log.h"

namespace cdc {

// What has been read of one topic.
struct PulsarPace {
  uint64_t bytes = 0;
  int64_t first_ms = 0;  // publish times
  int64_t last_ms = 0;
};

struct PulsarCursorOptions {
  std::chrono::milliseconds wait{100};           // of a Step for the first message
  std::chrono::milliseconds check_wait{5000};    // for a message that must be there
  Duration patience = std::chrono::seconds(10);  // without a connection, or without progress
  // While nothing comes: whether this is still the end, and the broker still there.
  Duration look_every = std::chrono::seconds(2);
  // Whoever was at the end of the topic this recently has missed nothing, even if the message read
  // last is gone by now. Far below any retention time.
  Duration end_is_fresh = std::chrono::seconds(10);
  Duration ahead_grace = std::chrono::seconds(5);  // for a place behind the newest message
  size_t queue_bytes = 4 << 20;  // sent ahead, as far as the sizes of the latest messages foretell
  int min_queue = 4;
  int max_queue = 1000;
};

class PulsarCursor {
 public:
  // `connection` and `clock` are the caller's and live longer.
  PulsarCursor(PulsarConnection* connection, const Clock* clock, std::string topic,
               LogPosition from, PulsarCursorOptions options = {});

  // Entries up to about `max_bytes`, those that are at hand; empty: nothing came within the wait.
  // Errors: kRetry, kPositionGone; the place is kept.
  Result<std::vector<RawEntry>> Step(size_t max_bytes);

  const PulsarPace& pace() const { return pace_; }
  int queue() const { return queue_; }  // for tests

 private:
  enum class Verdict { kDeliver, kPassOver };
  struct Following {
    bool place_held = false;
    LogId next;  // the first message that is to be read
  };

  Status Open();
  void Close();
  Result<std::optional<PulsarMessage>> Take(bool wait);
  Result<Verdict> Judge(const PulsarMessage& message);
  Result<Verdict> Compare(const PulsarMessage& message);
  Result<Following> AskWhatFollows();
  Result<Verdict> StepBack(const LogId& met, const LogId& next);
  Status Idle();
  Status Look();
  Status LookAhead(const LogId& newest);
  bool EndIsFresh() const;
  void ArriveAtEnd();
  Error Trouble(std::string_view what) const;
  Error Gone(std::string_view why, const std::optional<LogId>& oldest);
  void Deliver(const PulsarMessage& message, std::vector<RawEntry>* entries);
  void AdaptQueue();

  PulsarConnection* const connection_;
  const Clock* const clock_;
  const std::string topic_;
  const PulsarCursorOptions options_;
  LogPosition place_;  // kAfter the last entry given, once there is one

  std::unique_ptr<PulsarReader> reader_;
  bool first_ = true;           // the reader is new: its first message should be that of the place
  bool stepped_back_ = false;   // since the last entry given
  bool end_was_fresh_ = false;  // when the message in question was met
  std::optional<PulsarMessage> pending_;  // taken from the reader, not yet given
  TimePoint at_end_{};                    // when the broker last said that nothing is behind place_
  TimePoint last_look_{};
  TimePoint disconnected_since_{};
  TimePoint stalled_since_{};  // nothing comes although there is more
  TimePoint ahead_since_{};    // the place is behind the newest message
  TimePoint last_behind_{};    // when many messages came one after another

  int queue_ = 0;
  int taken_without_wait_ = 0;
  uint64_t mean_bytes_ = 0;  // of the latest messages: sum and number
  uint64_t mean_count_ = 0;
  PulsarPace pace_;
};

}  // namespace cdc
