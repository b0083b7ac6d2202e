#include "client/kafka/kafka_log.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "base/thread_executor.h"
#include "client/kafka/kafka_consumer.h"
#include "client/milvus/message_codec.h"

namespace cdc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kAskTimeout = seconds(8);
constexpr Duration kLook = milliseconds(1000);  // at least this often without being woken
constexpr Duration kAgain = milliseconds(500);  // before a subscription is started again
constexpr size_t kMuchAhead = 4;                // topics that librdkafka may fetch much of
constexpr Duration kTopicGrace = seconds(5);    // a topic that is not there may be being made

// What the log's thread knows of one tail.
struct TailState {
  std::string topic;
  LogPosition place;  // kAfter the last entry delivered, once there is one
  std::atomic<bool> closed = false;

  // Only the log's thread:
  RawTail::Done done;  // of the Read in progress
  size_t max_bytes = 0;
  KafkaConsumer* consumer = nullptr;
  std::unique_ptr<KafkaSubscription> subscription;
  std::deque<RawEntry> ready;  // taken and not yet delivered
  TimePoint start_at{};        // not before
  TimePoint missing_since{};   // the topic
  bool asking = false;         // whether its place is held
};

int64_t FirstOffset(const LogPosition& place) {
  switch (place.kind) {
    case LogPosition::Kind::kEarliest:
      return KafkaSubscription::kBeginning;
    case LogPosition::Kind::kAt:
      return static_cast<int64_t>(place.id.minor);
    case LogPosition::Kind::kAfter:
      return static_cast<int64_t>(place.id.minor) + 1;
  }
  return KafkaSubscription::kBeginning;
}

// ok: the offsets hold `place`, or its end.
Status CheckHeld(const std::string& topic, const LogPosition& place, const Watermarks& marks) {
  if (place.kind == LogPosition::Kind::kEarliest) return OkStatus();
  const int64_t first = FirstOffset(place);
  std::optional<LogId> oldest;
  if (marks.low < marks.high) oldest = LogId{0, static_cast<uint64_t>(marks.low)};
  if (first < marks.low) {
    return PositionGoneError(topic, place, "the log no longer holds it", oldest);
  }
  if (first > marks.high) {
    return PositionGoneError(
        topic, place,
        Format("the log ends before it, at {}: was the source restored or made anew?", marks.high),
        oldest);
  }
  return OkStatus();
}

class KafkaLog;

class KafkaTail final : public RawTail {
 public:
  KafkaTail(KafkaLog* log, std::shared_ptr<TailState> state)
      : log_(log), state_(std::move(state)) {}
  ~KafkaTail() override;
  void Read(size_t max_bytes, Done done) override;

 private:
  KafkaLog* const log_;
  const std::shared_ptr<TailState> state_;
};

class KafkaLog final : public RawLog {
 public:
  KafkaLog(KafkaOptions options, std::unique_ptr<KafkaConsumer> asker)
      : options_(std::move(options)),
        wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        asker_(std::move(asker)),
        questions_("cdc-kafka-ask"),
        thread_([this] { Run(); }) {}
  ~KafkaLog() override {
    stop_ = true;
    Wake();
    thread_.join();
    questions_.Stop();
    tails_.clear();
    consumers_.clear();
    close(wake_);
  }

  std::unique_ptr<RawTail> Open(const std::string& topic, LogPosition from) override {
    auto state = std::make_shared<TailState>();
    state->topic = topic;
    state->place = from;
    Post([this, state] { tails_.push_back(state); });
    return std::make_unique<KafkaTail>(this, std::move(state));
  }
  void Latest(std::vector<std::string> topics, LatestDone done) override {
    questions_.Post(
        [this, topics = std::move(topics), done = std::move(done)] { done(AskLatest(topics)); });
  }
  void Held(std::map<std::string, LogPosition> places, HeldDone done) override {
    questions_.Post(
        [this, places = std::move(places), done = std::move(done)] { done(AskHeld(places)); });
  }
  Result<LogId> DecodeId(const std::string& bytes) const override { return DecodeNumericId(bytes); }

  void Post(std::function<void()> command) {
    {
      const std::lock_guard lock(mutex_);
      commands_.push_back(std::move(command));
    }
    Wake();
  }

 private:
  void Run();
  void TakeCommands();
  void Forget(TailState* tail);
  void PollConsumers();
  void Serve(const std::shared_ptr<TailState>& tail);
  bool Start(TailState* tail);
  KafkaConsumer* ConsumerFor(const std::string& topic);
  void Deliver(TailState* tail);
  void OnFailure(const std::shared_ptr<TailState>& tail, const KafkaFailure& failure);
  void AskWhetherHeld(const std::shared_ptr<TailState>& tail);
  void Wake() const {
    const uint64_t one = 1;
    (void)!write(wake_, &one, sizeof(one));
  }
  void Wait() const;

  Result<std::map<std::string, LogPosition>> AskLatest(const std::vector<std::string>& topics);
  Result<std::map<std::string, HeldLog>> AskHeld(const std::map<std::string, LogPosition>& places);

  const KafkaOptions options_;
  const SystemClock clock_;
  const int wake_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::vector<std::function<void()>> commands_;
  std::atomic<uint64_t> entries_read_ = 0;
  std::atomic<uint64_t> bytes_read_ = 0;

  // Only the log's thread:
  std::vector<std::unique_ptr<KafkaConsumer>> consumers_;
  std::vector<std::shared_ptr<TailState>> tails_;

  // Only the thread of questions. A consumer of its own: on one that is reading, an answer waits
  // for the broker to answer the fetch before it.
  const std::unique_ptr<KafkaConsumer> asker_;
  ThreadExecutor questions_;

  std::thread thread_;  // last: starts when everything else is there
};

KafkaTail::~KafkaTail() {
  state_->closed = true;
  log_->Post([] {});  // lets the thread forget the tail
}

void KafkaTail::Read(size_t max_bytes, Done done) {
  log_->Post([state = state_, max_bytes, done = std::move(done)]() mutable {
    state->max_bytes = max_bytes;
    state->done = std::move(done);
  });
}

void KafkaLog::Run() {
  while (!stop_) {
    TakeCommands();
    PollConsumers();
    // A callback may not call back into the log, so the list stays as it is.
    for (const auto& tail : tails_) {
      if (tail->done && !tail->closed) Serve(tail);
    }
    Wait();
  }
}

void KafkaLog::TakeCommands() {
  std::vector<std::function<void()>> commands;
  {
    const std::lock_guard lock(mutex_);
    commands.swap(commands_);
  }
  for (const auto& command : commands) command();
  std::erase_if(tails_, [this](const auto& tail) {
    if (tail->closed) Forget(tail.get());
    return tail->closed.load();
  });
}

void KafkaLog::Forget(TailState* tail) {
  tail->subscription.reset();
  tail->ready.clear();
  KafkaConsumer* consumer = std::exchange(tail->consumer, nullptr);
  if (consumer == nullptr) return;
  const auto uses = [&](const auto& other) { return other->consumer == consumer; };
  if (std::any_of(tails_.begin(), tails_.end(), uses)) return;
  const auto at = std::find_if(consumers_.begin(), consumers_.end(),
                               [&](const auto& one) { return one.get() == consumer; });
  // Its end takes long: not here.
  std::shared_ptr<KafkaConsumer> last = std::move(*at);
  consumers_.erase(at);
  questions_.Post([last]() mutable { last.reset(); });
}

void KafkaLog::PollConsumers() {
  for (const auto& consumer : consumers_) {
    const std::optional<std::string> trouble = consumer->Poll();
    if (!trouble) continue;
    for (const auto& tail : tails_) {
      if (tail->consumer != consumer.get() || !tail->done || !tail->ready.empty()) continue;
      std::exchange(tail->done, nullptr)(RetryError(*trouble, ErrorKind::kUnavailable));
    }
  }
}

void KafkaLog::Serve(const std::shared_ptr<TailState>& tail) {
  if (tail->ready.empty()) {
    if (tail->asking || !Start(tail.get())) return;
    const std::optional<KafkaFailure> failure =
        tail->subscription->Take(tail->max_bytes, &tail->ready);
    if (failure) {
      tail->subscription.reset();
      tail->start_at = clock_.Now() + kAgain;
      if (tail->ready.empty()) OnFailure(tail, *failure);
    }
  }
  if (!tail->ready.empty()) Deliver(tail.get());
}

// False: not yet.
bool KafkaLog::Start(TailState* tail) {
  if (tail->subscription) return true;
  if (clock_.Now() < tail->start_at) return false;
  if (tail->consumer == nullptr) tail->consumer = ConsumerFor(tail->topic);
  if (tail->consumer == nullptr) {
    tail->start_at = clock_.Now() + kLook;
    return false;
  }
  tail->subscription =
      std::make_unique<KafkaSubscription>(tail->consumer, tail->topic, FirstOffset(tail->place));
  LogDebug("topic {} is read from {}", tail->topic, ToString(tail->place));
  return true;
}

KafkaConsumer* KafkaLog::ConsumerFor(const std::string& topic) {
  using Ahead = KafkaConsumer::Ahead;
  const auto much = std::count_if(tails_.begin(), tails_.end(), [](const auto& tail) {
    return tail->consumer != nullptr && tail->consumer->ahead() == Ahead::kMuch;
  });
  const Ahead ahead = static_cast<size_t>(much) < kMuchAhead ? Ahead::kMuch : Ahead::kLittle;
  for (const auto& consumer : consumers_) {
    const auto reads = [&](const auto& tail) {
      return tail->consumer == consumer.get() && tail->topic == topic;
    };
    if (consumer->ahead() != ahead) continue;
    if (std::none_of(tails_.begin(), tails_.end(), reads)) return consumer.get();
  }
  auto opened = KafkaConsumer::Open(options_, wake_, ahead);
  if (!opened.ok()) {
    LogError("{}", opened.error().message);  // it was good when the log was opened
    return nullptr;
  }
  consumers_.push_back(*std::move(opened));
  return consumers_.back().get();
}

void KafkaLog::Deliver(TailState* tail) {
  std::vector<RawEntry> entries;
  size_t bytes = 0;
  while (!tail->ready.empty()) {
    RawEntry& next = tail->ready.front();
    if (!entries.empty() && bytes + next.payload.bytes.size() > tail->max_bytes) break;
    bytes += next.payload.bytes.size();
    entries.push_back(std::move(next));
    tail->ready.pop_front();
  }
  entries_read_ += entries.size();
  bytes_read_ += bytes;
  tail->place = {LogPosition::Kind::kAfter, entries.back().id};
  tail->missing_since = {};
  std::exchange(tail->done, nullptr)(std::move(entries));
}

void KafkaLog::OnFailure(const std::shared_ptr<TailState>& tail, const KafkaFailure& failure) {
  const auto tell = [&] {
    std::exchange(tail->done, nullptr)(RetryError(
        Format("channel {}: Kafka at {}: {}", tail->topic, options_.brokers, failure.message),
        ErrorKind::kUnavailable));
  };
  switch (failure.kind) {
    case KafkaFailure::Kind::kOutOfRange:
      if (tail->place.kind != LogPosition::Kind::kEarliest) AskWhetherHeld(tail);
      return;
    case KafkaFailure::Kind::kNoTopic: {
      // Milvus makes topics when it needs them: one that was never read is empty so far.
      if (tail->place.kind == LogPosition::Kind::kEarliest) return;
      const TimePoint now = clock_.Now();
      if (tail->missing_since == TimePoint{}) tail->missing_since = now;
      if (now - tail->missing_since >= kTopicGrace) tell();
      return;
    }
    case KafkaFailure::Kind::kOther:
      tell();
      return;
  }
}

// The broker says that the offset is out of range: it may be gone, or the broker may be catching up
// after a change of leaders.
void KafkaLog::AskWhetherHeld(const std::shared_ptr<TailState>& tail) {
  tail->asking = true;
  questions_.Post([this, tail, place = tail->place] {
    auto held = AskHeld({{tail->topic, place}});
    Post([tail, held = std::move(held)] {
      tail->asking = false;
      if (!held.ok() && tail->done) std::exchange(tail->done, nullptr)(held.error());
    });
  });
}

void KafkaLog::Wait() const {
  // With leftovers a tail is served when it is read next, which wakes the thread.
  Duration timeout = kLook;
  const TimePoint now = clock_.Now();
  for (const auto& tail : tails_) {
    if (!tail->done || tail->subscription || tail->asking) continue;
    timeout = std::clamp<Duration>(tail->start_at - now, milliseconds(1), timeout);
  }
  pollfd wake{wake_, POLLIN, 0};
  if (poll(&wake, 1, static_cast<int>(timeout / milliseconds(1))) <= 0) return;
  uint64_t count = 0;
  (void)!read(wake_, &count, sizeof(count));
}

// ---- questions ---------------------------------------------------------------------------------

Result<std::map<std::string, LogPosition>> KafkaLog::AskLatest(
    const std::vector<std::string>& topics) {
  CDC_ASSIGN_OR_RETURN(const auto marks, asker_->Query(topics, kAskTimeout));
  std::map<std::string, LogPosition> positions;
  for (const std::string& topic : topics) {
    LogPosition& position = positions[topic];
    const auto found = marks.find(topic);
    if (found == marks.end() || found->second.high == 0) continue;
    position = {LogPosition::Kind::kAfter, LogId{0, static_cast<uint64_t>(found->second.high - 1)}};
  }
  return positions;
}

Result<std::map<std::string, HeldLog>> KafkaLog::AskHeld(
    const std::map<std::string, LogPosition>& places) {
  std::vector<std::string> topics;
  for (const auto& [topic, place] : places) topics.push_back(topic);
  CDC_ASSIGN_OR_RETURN(const auto marks, asker_->Query(topics, kAskTimeout));
  const uint64_t entries = entries_read_;
  const uint64_t mean = entries == 0 ? 0 : bytes_read_ / entries;
  std::map<std::string, HeldLog> all;
  for (const auto& [topic, place] : places) {
    const auto found = marks.find(topic);
    if (found == marks.end()) continue;
    CDC_RETURN_IF_ERROR(CheckHeld(topic, place, found->second));
    if (found->second.low == found->second.high) continue;
    HeldLog& held = all[topic];
    held.oldest = LogId{0, static_cast<uint64_t>(found->second.low)};
    if (place.kind == LogPosition::Kind::kEarliest) continue;
    held.bytes = static_cast<uint64_t>(FirstOffset(place) - found->second.low) * mean;
  }
  return all;
}

}  // namespace

Result<std::shared_ptr<RawLog>> OpenKafkaLog(const KafkaOptions& options) {
  CDC_ASSIGN_OR_RETURN(auto asker, KafkaConsumer::Open(options, -1));
  return std::shared_ptr<RawLog>(std::make_shared<KafkaLog>(options, std::move(asker)));
}

}  // namespace cdc
