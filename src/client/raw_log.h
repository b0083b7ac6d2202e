// RawLog: a source's message queue as topics of undecoded entries. What every queue looks like to
// the decoding above it; implemented by client/rocksmq, client/kafka and client/pulsar.
//
// Threads: all calls are safe from any thread and do not block. Callbacks run on the log's own
// thread, never before the call that took them has returned, at most once; they must not block, and
// call nothing of the log but Read. A callback of a destroyed tail, or of a log that is being
// destroyed, may be dropped, or run once more at the same moment: receivers guard themselves.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/slice.h"
#include "model/position.h"

namespace cdc {

struct RawEntry {
  LogId id;
  Slice payload;
  // Carries the property "_v" (RocksMQ has it inside the payload): written by the streaming service
  // of Milvus 2.6, in another format.
  bool streaming = false;
};

// How a place in a topic stands to what the log still holds.
struct HeldLog {
  LogId oldest;  // of all entries that the log holds
  // Held before the place: what retention can still delete before it reaches it. An estimate.
  uint64_t bytes = 0;
};

// Reads one topic forward.
class RawTail {
 public:
  using Done = std::function<void(Result<std::vector<RawEntry>>)>;

  virtual ~RawTail() = default;
  // The next entries: at least one, about `max_bytes` at most. Waits while there is nothing new.
  // One Read at a time. Errors: kRetry (call again, the place is kept), kPositionGone.
  virtual void Read(size_t max_bytes, Done done) = 0;
  // A hint: more lies at hand, so that the next Read will hardly wait.
  virtual bool HasMore() const { return false; }
};

class RawLog {
 public:
  using LatestDone = std::function<void(Result<std::map<std::string, LogPosition>>)>;

  using HeldDone = std::function<void(Result<std::map<std::string, HeldLog>>)>;

  virtual ~RawLog() = default;
  // Must not outlive the log.
  virtual std::unique_ptr<RawTail> Open(const std::string& topic, LogPosition from) = 0;
  // For each topic kAfter its newest entry at or after the time of the call; kEarliest when empty.
  virtual void Latest(std::vector<std::string> topics, LatestDone done) = 0;
  // Compares each topic's place with what the log holds; topics that are empty or not there are
  // left out. Errors: kRetry; kPositionGone when the log no longer holds one of them.
  virtual void Held(std::map<std::string, LogPosition> places, HeldDone done) = 0;
  // A message id as this queue's Milvus writes it into etcd.
  virtual Result<LogId> DecodeId(const std::string& bytes) const = 0;
};

// kPositionGone, fatal: "channel C: cannot read PLACE: WHY; the oldest message held is ID"
// (nullopt: none is).
Error PositionGoneError(const std::string& topic, const LogPosition& place, std::string_view why,
                        const std::optional<LogId>& oldest);

}  // namespace cdc
