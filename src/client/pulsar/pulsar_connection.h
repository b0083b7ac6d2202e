// PulsarConnection and PulsarReader: the little that the reading of topics needs of a Pulsar
// client. Implemented over libpulsar by OpenPulsarConnection; a unit test brings its own.
//
// The connection is safe from any thread; a reader belongs to one. All calls but the destructors
// may block; every wait ends soon after Shutdown(). Readers must not outlive their connection.
// Errors are kRetry and name the broker: kNotFound (no such topic, namespace or tenant),
// kUnavailable, kInvalid (who we are is not accepted), kOther.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/slice.h"
#include "model/position.h"

namespace cdc {

struct PulsarMessage {
  LogId id;
  Slice payload;
  bool streaming = false;  // has the property "_v"
  bool in_batch = false;   // other messages have the same id
  int64_t publish_ms = 0;  // unix time of its producer
};

// For one message. A broker sends the one before the start too, which libpulsar drops.
constexpr int kSmallestQueue = 2;

class PulsarReader {
 public:
  virtual ~PulsarReader() = default;
  // The next message; nullopt when there is none within `wait` (0: looks only).
  virtual Result<std::optional<PulsarMessage>> Next(std::chrono::milliseconds wait) = 0;
  // While it is false libpulsar tries to connect again, by itself but ever more rarely.
  virtual bool Connected() = 0;
  // Asks the broker for the id of the topic's newest message. nullopt: the topic is empty. The
  // message may have been deleted meanwhile.
  virtual Result<std::optional<LogId>> Newest() = 0;
};

class PulsarConnection {
 public:
  virtual ~PulsarConnection() = default;
  // A reader that begins with the message `first`, nullopt: with the oldest one. When `first` is
  // no longer there the broker begins with the oldest one after it, without a word.
  // `queue`: how many messages the broker may send ahead, of any size; at least kSmallestQueue.
  virtual Result<std::unique_ptr<PulsarReader>> Open(const std::string& topic,
                                                     std::optional<LogId> first, int queue) = 0;
  // Who the broker is, for error texts: "Pulsar at URL".
  virtual const std::string& name() const = 0;
  // Ends all waits with errors, now and later.
  virtual void Shutdown() = 0;
};

}  // namespace cdc
