#include "client/kafka/kafka_consumer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

#include "base/format.h"
#include "base/log.h"

namespace cdc {
namespace {

constexpr int32_t kPartition = 0;  // Milvus uses no other
// Of one tail. Little, since it is fetched compressed: what comes out may be many times as much.
struct Sizes {
  size_t fetch;
  size_t queue;
  size_t answer;  // of a broker, for all topics together: what came with it is kept as a whole
};
constexpr Sizes kMuch{512 << 10, 8 << 20, 4 << 20};
constexpr Sizes kLittle{128 << 10, 512 << 10, 1 << 20};
constexpr size_t kTakeAtOnce = 64;
// A producer sends batches of up to 1 MB.
constexpr size_t kKeptBytes = 256 << 10;

using Topic = std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)>;

int Millis(Duration duration) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

const Sizes& SizesOf(KafkaConsumer::Ahead ahead) {
  return ahead == KafkaConsumer::Ahead::kMuch ? kMuch : kLittle;
}

// A property of ours: users may say otherwise in the `consumer` map.
std::map<std::string, std::string> Defaults(const Sizes& sizes) {
  return {
      {"client.id", "milvus-cdc"},
      {"fetch.message.max.bytes", std::to_string(sizes.fetch)},
      {"fetch.max.bytes", std::to_string(sizes.answer)},
      {"queued.max.messages.kbytes", std::to_string(sizes.queue >> 10)},
      // A broker that hangs is noticed in seconds, one that is back is used within a second.
      {"socket.timeout.ms", "10000"},
      {"reconnect.backoff.ms", "100"},
      {"reconnect.backoff.max.ms", "1000"},
      {"socket.nagle.disable", "true"},
  };
}

// What this log cannot do without.
std::map<std::string, std::string> Required() {
  return {
      {"auto.offset.reset", "error"},        {"enable.partition.eof", "false"},
      {"enable.auto.commit", "false"},       {"enable.auto.offset.store", "false"},
      {"allow.auto.create.topics", "false"},
  };
}

Status Set(rd_kafka_conf_t* conf, const std::string& key, const std::string& value) {
  std::array<char, 512> why{};
  if (rd_kafka_conf_set(conf, key.c_str(), value.c_str(), why.data(), why.size()) ==
      RD_KAFKA_CONF_OK) {
    return OkStatus();
  }
  // librdkafka quotes the value, which may be a secret.
  return InvalidError(
      Format("Kafka property {}: not accepted by librdkafka {}; check its name and "
             "value in librdkafka's CONFIGURATION.md",
             key, rd_kafka_version_str()));
}

Status SetAll(rd_kafka_conf_t* conf, const KafkaOptions& options, const Sizes& sizes) {
  for (const auto& [key, value] : Defaults(sizes)) CDC_RETURN_IF_ERROR(Set(conf, key, value));
  const std::pair<const char*, const std::string*> own[] = {
      {"security.protocol", &options.security_protocol},
      {"sasl.mechanisms", &options.sasl_mechanisms},
      {"sasl.username", &options.sasl_username},
      {"sasl.password", &options.sasl_password},
  };
  for (const auto& [key, value] : own) {
    if (!value->empty()) CDC_RETURN_IF_ERROR(Set(conf, key, *value));
  }
  for (const auto& [key, value] : options.properties) {
    if (Required().contains(key)) {
      LogInfo("Kafka property {} is not configurable here", key);
      continue;
    }
    CDC_RETURN_IF_ERROR(Set(conf, key, value));
  }
  for (const auto& [key, value] : Required()) CDC_RETURN_IF_ERROR(Set(conf, key, value));
  return Set(conf, "bootstrap.servers", options.brokers);
}

bool IsStreaming(const rd_kafka_message_t* message) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  const void* value = nullptr;
  size_t size = 0;
  if (rd_kafka_header_get_last(headers, "_v", &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return false;
  }
  return std::string_view(static_cast<const char*>(value), size) != "0";
}

KafkaFailure FailureOf(const rd_kafka_message_t* message) {
  KafkaFailure failure;
  failure.message = rd_kafka_message_errstr(message);
  switch (message->err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      failure.kind = KafkaFailure::Kind::kOutOfRange;
      break;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      failure.kind = KafkaFailure::Kind::kNoTopic;
      break;
    default:
      break;
  }
  return failure;
}

}  // namespace

struct KafkaCallbacks {
  static void OnError(rd_kafka_t*, int code, const char* reason, void* opaque) {
    auto* consumer = static_cast<KafkaConsumer*>(opaque);
    const auto error = static_cast<rd_kafka_resp_err_t>(code);
    // This one follows the others and says less.
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && consumer->trouble_) return;
    consumer->trouble_ = Format("Kafka at {}: {}", consumer->brokers_, reason);
  }
  static void OnLog(const rd_kafka_t*, int, const char* facility, const char* text) {
    LogDebug("librdkafka {}: {}", facility, text);
  }
};

Result<std::unique_ptr<KafkaConsumer>> KafkaConsumer::Open(const KafkaOptions& options, int wake,
                                                           Ahead ahead) {
  std::unique_ptr<KafkaConsumer> consumer(new KafkaConsumer(options.brokers, wake, ahead));
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const Status set = SetAll(conf, options, SizesOf(ahead));
  if (!set.ok()) {
    rd_kafka_conf_destroy(conf);
    return set.error();
  }
  rd_kafka_conf_set_opaque(conf, consumer.get());
  rd_kafka_conf_set_error_cb(conf, KafkaCallbacks::OnError);
  rd_kafka_conf_set_log_cb(conf, KafkaCallbacks::OnLog);
  std::array<char, 512> why{};
  rd_kafka_t* handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why.data(), why.size());
  if (handle == nullptr) {
    rd_kafka_conf_destroy(conf);
    return InvalidError(Format("Kafka at {}: {}", options.brokers, why.data()));
  }
  consumer->handle_.reset(handle, rd_kafka_destroy);
  if (wake >= 0) {
    const uint64_t one = 1;
    rd_kafka_queue_t* main = rd_kafka_queue_get_main(handle);
    rd_kafka_queue_io_event_enable(main, wake, &one, sizeof(one));
    rd_kafka_queue_destroy(main);
  }
  return consumer;
}

KafkaConsumer::~KafkaConsumer() = default;

std::optional<std::string> KafkaConsumer::Poll() {
  trouble_.reset();
  rd_kafka_poll(handle_.get(), 0);
  return std::exchange(trouble_, std::nullopt);
}

Result<std::map<std::string, Watermarks>> KafkaConsumer::Query(
    const std::vector<std::string>& topics, Duration timeout) {
  const TimePoint end = SystemClock().Now() + timeout;
  const auto failed = [&](rd_kafka_resp_err_t error) {
    const std::optional<std::string> trouble = Poll();
    return RetryError(
        trouble ? *trouble : Format("Kafka at {}: {}", brokers_, rd_kafka_err2str(error)),
        ErrorKind::kUnavailable);
  };
  std::vector<Topic> known;
  for (const std::string& name : topics) {
    known.emplace_back(rd_kafka_topic_new(handle_.get(), name.c_str(), nullptr),
                       rd_kafka_topic_destroy);
  }
  // What does not exist would be waited for below.
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_resp_err_t error =
      rd_kafka_metadata(handle_.get(), 0, nullptr, &metadata, Millis(timeout));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return failed(error);
  std::set<std::string> all;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic& topic = metadata->topics[i];
    if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR) all.insert(topic.topic);
    if (topic.err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) error = topic.err;
  }
  rd_kafka_metadata_destroy(metadata);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return failed(error);
  std::map<std::string, Watermarks> wanted;
  for (const std::string& name : topics) {
    if (!all.contains(name)) continue;
    Watermarks& marks = wanted[name];
    const Duration left =
        std::max<Duration>(end - SystemClock().Now(), std::chrono::milliseconds(1));
    error = rd_kafka_query_watermark_offsets(handle_.get(), name.c_str(), kPartition, &marks.low,
                                             &marks.high, Millis(left));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return failed(error);
  }
  return wanted;
}

KafkaSubscription::KafkaSubscription(KafkaConsumer* consumer, const std::string& topic,
                                     int64_t offset)
    : handle_(consumer->handle()),
      queue_bytes_(SizesOf(consumer->ahead()).queue),
      topic_(rd_kafka_topic_new(handle_.get(), topic.c_str(), nullptr)),
      queue_(rd_kafka_queue_new(handle_.get())),
      next_(offset) {
  if (consumer->wake() >= 0) {
    const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(queue_, consumer->wake(), &one, sizeof(one));
  }
  started_ =
      topic_ != nullptr && rd_kafka_consume_start_queue(topic_, kPartition, offset, queue_) == 0;
}

KafkaSubscription::~KafkaSubscription() {
  if (started_) rd_kafka_consume_stop(topic_, kPartition);
  rd_kafka_queue_destroy(queue_);
  if (topic_ != nullptr) rd_kafka_topic_destroy(topic_);
}

std::optional<KafkaFailure> KafkaSubscription::Take(size_t max_bytes,
                                                    std::deque<RawEntry>* entries) {
  if (!started_) {
    return KafkaFailure{KafkaFailure::Kind::kOther, rd_kafka_err2str(rd_kafka_last_error())};
  }
  const size_t queued = rd_kafka_queue_length(queue_);
  size_t bytes = 0;
  for (const RawEntry& entry : *entries) bytes += entry.payload.bytes.size();
  std::array<rd_kafka_message_t*, kTakeAtOnce> taken;
  std::optional<KafkaFailure> failure;
  while (bytes < max_bytes && !failure) {
    // What is taken and not wanted yet would be beyond every limit.
    const size_t wanted =
        mean_bytes_ == 0 ? 1 : std::min(kTakeAtOnce, (max_bytes - bytes) / mean_bytes_ + 1);
    const ssize_t count = rd_kafka_consume_batch_queue(queue_, 0, taken.data(), wanted);
    if (count <= 0) {
      Refill();
      break;
    }
    const size_t before = bytes;
    for (ssize_t i = 0; i < count; ++i) {
      rd_kafka_message_t* message = taken[i];
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (!failure) failure = FailureOf(message);
      } else if (!failure && message->offset >= next_) {
        next_ = message->offset + 1;
        bytes += message->len;
        const LogId id{0, static_cast<uint64_t>(message->offset)};
        const bool streaming = IsStreaming(message);
        entries->push_back({id, PayloadOf(message), streaming});
        continue;
      }
      rd_kafka_message_destroy(message);
    }
    mean_bytes_ = std::max<uint64_t>(1, (bytes - before) / static_cast<size_t>(count));
    if (queued * mean_bytes_ >= queue_bytes_ / 2) full_ = true;
  }
  return failure;
}

// A large one stays where librdkafka has it. Another is copied: it would hold all that was fetched
// or decompressed with it, and little of that may be wanted.
Slice KafkaSubscription::PayloadOf(rd_kafka_message_t* message) const {
  const std::string_view bytes(static_cast<const char*>(message->payload), message->len);
  if (bytes.size() >= kKeptBytes) {
    // Its consumer must be there when it is destroyed.
    return {std::shared_ptr<const void>(message,
                                        [handle = handle_](void* kept) {
                                          rd_kafka_message_destroy(
                                              static_cast<rd_kafka_message_t*>(kept));
                                        }),
            bytes};
  }
  Slice copy = Slice::Copy(bytes);
  rd_kafka_message_destroy(message);
  return copy;
}

// Once its queue was full, librdkafka 2.0 looks only every second whether it may fetch again. To be
// sent to where it already is makes it look at once, and costs nothing while the queue is empty.
void KafkaSubscription::Refill() {
  if (!std::exchange(full_, false) || next_ < 0) return;
  rd_kafka_seek(topic_, kPartition, next_, 0);
}

}  // namespace cdc
