// KafkaConsumer: one librdkafka handle; KafkaSubscription: partition 0 of one topic read through
// it.
//
// Owned by KafkaLog. A consumer reads a topic once at a time; for a second reader of the same topic
// there must be a second consumer. librdkafka's types stay in the .cc file.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "client/kafka/kafka_log.h"

struct rd_kafka_s;
struct rd_kafka_message_s;
struct rd_kafka_queue_s;
struct rd_kafka_topic_s;

namespace cdc {

// The offsets that a topic holds: low <= offset < high.
struct Watermarks {
  int64_t low = 0;
  int64_t high = 0;
};

class KafkaConsumer {
 public:
  // How much librdkafka fetches at once, and keeps, for each topic.
  enum class Ahead {
    kMuch,
    kLittle,  // for topics beyond the first ones: their memory adds up
  };
  // `wake`: an eventfd that is written to when there is something to take or to poll; -1: none.
  static Result<std::unique_ptr<KafkaConsumer>> Open(const KafkaOptions& options, int wake,
                                                     Ahead ahead = Ahead::kMuch);
  // May take some hundred ms, as the end of the last message taken does after it.
  ~KafkaConsumer();
  KafkaConsumer(const KafkaConsumer&) = delete;
  KafkaConsumer& operator=(const KafkaConsumer&) = delete;

  // Serves librdkafka's callbacks. Returns what went wrong with the connections since the last
  // call; it is being mended by then.
  std::optional<std::string> Poll();

  // Blocks up to `timeout`. Topics that do not exist are left out. Errors: kRetry.
  Result<std::map<std::string, Watermarks>> Query(const std::vector<std::string>& topics,
                                                  Duration timeout);

  const std::shared_ptr<rd_kafka_s>& handle() const { return handle_; }
  int wake() const { return wake_; }
  Ahead ahead() const { return ahead_; }

 private:
  friend struct KafkaCallbacks;
  KafkaConsumer(std::string brokers, int wake, Ahead ahead)
      : brokers_(std::move(brokers)), wake_(wake), ahead_(ahead) {}

  const std::string brokers_;
  const int wake_;
  const Ahead ahead_;
  std::shared_ptr<rd_kafka_s> handle_;
  std::optional<std::string> trouble_;  // only during Poll
};

// What ends a subscription: start another one, or tell the reader.
struct KafkaFailure {
  enum class Kind {
    kOutOfRange,  // the offset is not held
    kNoTopic,
    kOther,
  };
  Kind kind = Kind::kOther;
  std::string message;
};

class KafkaSubscription {
 public:
  static constexpr int64_t kBeginning = -2;

  // The consumer must outlive it. Never fails by itself.
  KafkaSubscription(KafkaConsumer* consumer, const std::string& topic, int64_t offset);
  ~KafkaSubscription();
  KafkaSubscription(const KafkaSubscription&) = delete;
  KafkaSubscription& operator=(const KafkaSubscription&) = delete;

  // Moves what was fetched to the end of `entries`, until they hold `max_bytes` (or a little more)
  // or there is nothing. Does not block. After a failure the subscription is of no more use.
  std::optional<KafkaFailure> Take(size_t max_bytes, std::deque<RawEntry>* entries);

 private:
  void Refill();
  // Takes the message over.
  Slice PayloadOf(rd_kafka_message_s* message) const;

  const std::shared_ptr<rd_kafka_s> handle_;
  const size_t queue_bytes_;  // more than that, and librdkafka stops fetching
  rd_kafka_topic_s* topic_ = nullptr;
  rd_kafka_queue_s* queue_ = nullptr;
  bool started_ = false;
  bool full_ = false;  // librdkafka has stopped fetching until it is asked to go on
  int64_t next_ = 0;
  uint64_t mean_bytes_ = 0;
};

}  // namespace cdc
