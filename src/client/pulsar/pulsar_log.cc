#include "client/pulsar/pulsar_log.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "client/pulsar/libpulsar_connection.h"
#include "client/pulsar/pulsar_cursor.h"
#include "client/pulsar/pulsar_id.h"

namespace cdc {
namespace {

using Kind = LogPosition::Kind;
using std::chrono::milliseconds;

// How long the oldest or the newest message of a topic is waited for, before it counts as deleted.
constexpr milliseconds kMessageWait(3000);
// Tails beyond the first ones have less sent ahead: their memory adds up.
constexpr size_t kMuchAhead = 4;
constexpr size_t kLittleQueueBytes = 512 << 10;

struct TailState {
  std::mutex mutex;
  std::condition_variable changed;
  bool closed = false;
  RawTail::Done done;  // of the Read in progress
  size_t max_bytes = 0;
  PulsarPace pace;
  std::string topic;
  std::atomic<bool> finished = false;  // its thread ends by itself
};

class PulsarTail final : public RawTail {
 public:
  explicit PulsarTail(std::shared_ptr<TailState> state) : state_(std::move(state)) {}
  ~PulsarTail() override {
    const std::lock_guard lock(state_->mutex);
    state_->closed = true;
    state_->changed.notify_all();
  }
  void Read(size_t max_bytes, Done done) override {
    const std::lock_guard lock(state_->mutex);
    state_->max_bytes = max_bytes;
    state_->done = std::move(done);
    state_->changed.notify_all();
  }

 private:
  const std::shared_ptr<TailState> state_;
};

// The thread of one tail.
void Serve(TailState* tail, PulsarCursor* cursor) {
  std::unique_lock lock(tail->mutex);
  while (true) {
    tail->changed.wait(lock, [&] { return tail->closed || tail->done; });
    if (tail->closed) return;
    const size_t max_bytes = tail->max_bytes;
    lock.unlock();
    auto entries = cursor->Step(max_bytes);
    lock.lock();
    tail->pace = cursor->pace();
    if (tail->closed) return;
    if (entries.ok() && entries->empty()) continue;
    const RawTail::Done done = std::exchange(tail->done, nullptr);
    lock.unlock();
    done(std::move(entries));
    lock.lock();
  }
}

class PulsarLog final : public RawLog {
 public:
  PulsarLog(std::unique_ptr<PulsarConnection> connection, Duration patience)
      : connection_(std::move(connection)), control_([this] { Control(); }) {
    options_.patience = patience;
  }
  ~PulsarLog() override;

  std::unique_ptr<RawTail> Open(const std::string& topic, LogPosition from) override;
  void Latest(std::vector<std::string> topics, LatestDone done) override {
    Post([this, topics = std::move(topics), done = std::move(done)] { done(LatestOf(topics)); });
  }
  void Held(std::map<std::string, LogPosition> places, HeldDone done) override {
    Post([this, places = std::move(places), done = std::move(done)] { done(HeldOf(places)); });
  }
  Result<LogId> DecodeId(const std::string& bytes) const override {
    CDC_ASSIGN_OR_RETURN(const PulsarMessageId id, DecodePulsarMessageId(bytes));
    return id.id;
  }

 private:
  struct Thread {
    std::shared_ptr<TailState> tail;
    std::thread thread;
  };
  using Reader = std::unique_ptr<PulsarReader>;

  void Post(std::function<void()> job);
  void Control();
  void Reap();
  PulsarCursorOptions OptionsOfNext() const;
  Result<std::map<std::string, LogPosition>> LatestOf(const std::vector<std::string>& topics);
  Result<LogPosition> LatestOf(const std::string& topic);
  Result<std::map<std::string, HeldLog>> HeldOf(const std::map<std::string, LogPosition>& places);
  Result<std::optional<HeldLog>> HeldOf(const std::string& topic, const LogPosition& place);
  Result<std::optional<PulsarMessage>> MessageFrom(const std::string& topic, const LogId& id);
  uint64_t BytesBetween(const std::string& topic, int64_t first_ms, int64_t last_ms);

  const SystemClock clock_;
  PulsarCursorOptions options_;
  const std::unique_ptr<PulsarConnection> connection_;
  std::mutex mutex_;
  std::condition_variable posted_;
  bool stop_ = false;
  std::deque<std::function<void()>> jobs_;
  std::vector<Thread> tails_;
  std::thread control_;  // last: starts when everything else is there
};

PulsarLog::~PulsarLog() {
  connection_->Shutdown();
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    posted_.notify_all();
  }
  control_.join();
  for (Thread& tail : tails_) {
    {
      const std::lock_guard lock(tail.tail->mutex);
      tail.tail->closed = true;
      tail.tail->changed.notify_all();
    }
    tail.thread.join();
  }
}

std::unique_ptr<RawTail> PulsarLog::Open(const std::string& topic, LogPosition from) {
  auto state = std::make_shared<TailState>();
  state->topic = topic;
  const std::lock_guard lock(mutex_);
  Reap();
  tails_.push_back({state, std::thread([this, state, topic, from, options = OptionsOfNext()] {
                      {
                        PulsarCursor cursor(connection_.get(), &clock_, topic, from, options);
                        Serve(state.get(), &cursor);
                      }
                      state->finished = true;
                    })});
  return std::make_unique<PulsarTail>(std::move(state));
}

void PulsarLog::Reap() {
  std::erase_if(tails_, [](Thread& tail) {
    if (!tail.tail->finished) return false;
    tail.thread.join();
    return true;
  });
}

PulsarCursorOptions PulsarLog::OptionsOfNext() const {
  const auto open = std::count_if(tails_.begin(), tails_.end(), [](const Thread& tail) {
    const std::lock_guard lock(tail.tail->mutex);
    return !tail.tail->closed;
  });
  PulsarCursorOptions options = options_;
  if (static_cast<size_t>(open) >= kMuchAhead) options.queue_bytes = kLittleQueueBytes;
  return options;
}

void PulsarLog::Post(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  posted_.notify_all();
}

void PulsarLog::Control() {
  std::unique_lock lock(mutex_);
  while (true) {
    posted_.wait(lock, [&] { return stop_ || !jobs_.empty(); });
    if (stop_) return;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

Result<std::map<std::string, LogPosition>> PulsarLog::LatestOf(
    const std::vector<std::string>& topics) {
  std::map<std::string, LogPosition> positions;
  for (const std::string& topic : topics) {
    CDC_ASSIGN_OR_RETURN(positions[topic], LatestOf(topic));
  }
  return positions;
}

Result<LogPosition> PulsarLog::LatestOf(const std::string& topic) {
  auto reader = connection_->Open(topic, std::nullopt, kSmallestQueue);
  if (!reader.ok()) {
    if (reader.error().kind == ErrorKind::kNotFound) return LogPosition{};
    return reader.error();
  }
  CDC_ASSIGN_OR_RETURN(const auto newest, (*reader)->Newest());
  if (!newest) return LogPosition{};
  // The broker remembers the id of the newest message when all are deleted. What comes next would
  // then look like the silent jump over something deleted.
  CDC_ASSIGN_OR_RETURN(const auto message, MessageFrom(topic, *newest));
  if (!message || message->id != *newest) return LogPosition{};
  return LogPosition{Kind::kAfter, *newest};
}

Result<std::map<std::string, HeldLog>> PulsarLog::HeldOf(
    const std::map<std::string, LogPosition>& places) {
  std::map<std::string, HeldLog> all;
  for (const auto& [topic, place] : places) {
    CDC_ASSIGN_OR_RETURN(const auto held, HeldOf(topic, place));
    if (held) all[topic] = *held;
  }
  return all;
}

Result<std::optional<HeldLog>> PulsarLog::HeldOf(const std::string& topic,
                                                 const LogPosition& place) {
  auto reader = connection_->Open(topic, std::nullopt, kSmallestQueue);
  if (!reader.ok()) {
    if (reader.error().kind == ErrorKind::kNotFound) return std::optional<HeldLog>();
    return reader.error();
  }
  CDC_ASSIGN_OR_RETURN(const auto newest, (*reader)->Newest());
  if (!newest) return std::optional<HeldLog>();
  CDC_ASSIGN_OR_RETURN(const auto oldest, (*reader)->Next(kMessageWait));
  if (!oldest) return std::optional<HeldLog>();
  HeldLog held{oldest->id, 0};
  if (place.kind == Kind::kEarliest || *newest < place.id) return std::optional<HeldLog>(held);
  if (oldest->id <= place.id) {
    CDC_ASSIGN_OR_RETURN(const auto message, MessageFrom(topic, place.id));
    if (!message) {
      return RetryError(Format("{}: topic {}: could not see in time whether {} is still there",
                               connection_->name(), topic, ToString(place.id)));
    }
    if (message->id == place.id) {
      held.bytes = BytesBetween(topic, oldest->publish_ms, message->publish_ms);
      return std::optional<HeldLog>(held);
    }
    held.oldest = message->id;
  }
  return PositionGoneError(topic, place, "the log no longer holds it", held.oldest);
}

// The message `id`, or what a reader that wants it gets instead: asked twice, since a broker with a
// message TTL may move a reader away from what it still has.
Result<std::optional<PulsarMessage>> PulsarLog::MessageFrom(const std::string& topic,
                                                            const LogId& id) {
  std::optional<PulsarMessage> message;
  for (int attempt = 0; attempt < 2; ++attempt) {
    CDC_ASSIGN_OR_RETURN(const Reader reader, connection_->Open(topic, id, kSmallestQueue));
    CDC_ASSIGN_OR_RETURN(message, reader->Next(kMessageWait));
    if (!message || message->id == id) break;
  }
  return message;
}

uint64_t PulsarLog::BytesBetween(const std::string& topic, int64_t first_ms, int64_t last_ms) {
  double rate = 0;  // bytes per millisecond
  const std::lock_guard lock(mutex_);
  for (const Thread& tail : tails_) {
    const std::lock_guard tail_lock(tail.tail->mutex);
    const PulsarPace& pace = tail.tail->pace;
    if (tail.tail->topic != topic || pace.last_ms <= pace.first_ms) continue;
    rate = std::max(
        rate, static_cast<double>(pace.bytes) / static_cast<double>(pace.last_ms - pace.first_ms));
  }
  return static_cast<uint64_t>(rate *
                               static_cast<double>(std::max<int64_t>(last_ms - first_ms, 0)));
}

}  // namespace

Result<std::shared_ptr<RawLog>> OpenPulsarLog(const PulsarOptions& options) {
  CDC_ASSIGN_OR_RETURN(auto connection, OpenPulsarConnection(options));
  return std::shared_ptr<RawLog>(
      std::make_shared<PulsarLog>(std::move(connection), options.patience));
}

}  // namespace cdc
