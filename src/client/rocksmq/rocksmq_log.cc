#include "client/rocksmq/rocksmq_log.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "base/backoff.h"
#include "base/format.h"
#include "base/log.h"
#include "client/milvus/message_codec.h"
#include "client/rocksmq/rocksmq_store.h"
#include "client/rocksmq/rocksmq_waker.h"

namespace cdc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// All topics are looked at anew at least this often, whatever the sequence number says.
constexpr Duration kFullLook = seconds(1);
// A tail that was at the end of its topic this recently has missed nothing, even if the message it
// read last is gone by now. Far below any retention time.
constexpr Duration kEndIsFresh = seconds(10);
// Nobody reads on: what a scan keeps is given back, memtables that the store has left behind and
// deleted files among it.
constexpr Duration kScanIsOld = milliseconds(200);
constexpr int kBusyLooks = 10;     // so many in a row that brought something: see Gap()
constexpr int kQuietFailures = 2;  // opening again mends most errors: say nothing the first times

// What the log's thread knows of one tail.
struct TailState {
  std::string topic;
  LogPosition place;  // kAfter the last message delivered, once there is one
  std::atomic<bool> closed = false;
  std::atomic<bool> has_more = false;  // behind what it read last

  // Only the log's thread:
  RawTail::Done done;  // of the Read in progress
  size_t max_bytes = 0;
  TimePoint at_end{};  // when it was last seen that there is nothing more
  TimePoint ahead_since{};
  // While behind: goes on where the last Read stopped, up to the message that was safe at its
  // start, and is certain to have more.
  std::unique_ptr<RocksmqScan> scan;
  uint64_t scan_last = 0;
  TimePoint scan_used{};
};

struct Topic {
  int views = 0;                 // catch-ups since it is watched
  std::optional<uint64_t> seen;  // newest message at the last catch-up
  std::optional<uint64_t> safe;  // ... at the one before: everything up to it is visible now
};

struct HeldRequest {
  std::map<std::string, LogPosition> places;
  RawLog::HeldDone done;
};

struct LatestRequest {
  std::vector<std::string> topics;
  RawLog::LatestDone done;
};

class RocksmqLog;

class RocksmqTail final : public RawTail {
 public:
  RocksmqTail(RocksmqLog* log, std::shared_ptr<TailState> state)
      : log_(log), state_(std::move(state)) {}
  ~RocksmqTail() override;
  void Read(size_t max_bytes, Done done) override;
  bool HasMore() const override { return state_->has_more; }

 private:
  RocksmqLog* log_;
  std::shared_ptr<TailState> state_;
};

class RocksmqLog final : public RawLog {
 public:
  RocksmqLog(std::string path, RocksmqOptions options)
      : path_(std::move(path)), options_(options), waker_(path_), thread_([this] { Run(); }) {}
  ~RocksmqLog() override {
    stop_ = true;
    waker_.Wake();
    thread_.join();
  }

  std::unique_ptr<RawTail> Open(const std::string& topic, LogPosition from) override {
    auto state = std::make_shared<TailState>();
    state->topic = topic;
    state->place = from;
    Post([this, state] { tails_.push_back(state); });
    return std::make_unique<RocksmqTail>(this, std::move(state));
  }
  void Latest(std::vector<std::string> topics, LatestDone done) override {
    Post([this, request = LatestRequest{std::move(topics), std::move(done)}]() mutable {
      latest_.push_back(std::move(request));
    });
  }
  void Held(std::map<std::string, LogPosition> places, HeldDone done) override {
    Post([this, request = HeldRequest{std::move(places), std::move(done)}]() mutable {
      held_.push_back(std::move(request));
    });
  }
  Result<LogId> DecodeId(const std::string& bytes) const override { return DecodeNumericId(bytes); }

  void Post(std::function<void()> command) {
    {
      const std::lock_guard lock(mutex_);
      commands_.push_back(std::move(command));
    }
    if (std::this_thread::get_id() != thread_.get_id()) waker_.Wake();
  }

 private:
  void Run();
  void TakeCommands();
  bool EnsureOpen();
  void GiveUpStore(Error error);
  void FailWaiting(const Error& error);
  Status Look();
  Status Advance();
  bool Unsettled() const;
  Status ServeAll();
  Status Serve(TailState* tail);
  Result<bool> Check(TailState* tail, uint64_t safe);
  Status Deliver(TailState* tail, uint64_t safe);
  Error PositionGone(const TailState& tail, std::string_view why) const;
  Status AnswerLatest();
  Status AnswerHeld();
  Result<std::map<std::string, HeldLog>> HeldOf(
      const std::map<std::string, LogPosition>& places) const;
  bool SomebodyWaits() const;
  bool HasCommands();
  Duration Gap() const;
  void Wait();

  const std::string path_;
  const RocksmqOptions options_;
  const SystemClock clock_;
  RocksmqWaker waker_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::vector<std::function<void()>> commands_;

  // Only the log's thread:
  std::unique_ptr<RocksmqStore> store_;
  std::string identity_;
  std::vector<std::shared_ptr<TailState>> tails_;
  std::vector<LatestRequest> latest_;
  std::vector<HeldRequest> held_;
  std::map<std::string, Topic> topics_;
  uint64_t sequence_ = 0;
  bool active_ = false;  // the last catch-up brought something
  int busy_looks_ = 0;   // so many in a row did
  TimePoint last_look_{};
  TimePoint last_full_{};
  TimePoint next_open_{};
  int failures_ = 0;
  Backoff backoff_{milliseconds(20), seconds(2)};

  std::thread thread_;  // last: starts when everything else is there
};

RocksmqTail::~RocksmqTail() {
  state_->closed = true;
  log_->Post([] {});  // lets the thread forget the tail
}

void RocksmqTail::Read(size_t max_bytes, Done done) {
  log_->Post([state = state_, max_bytes, done = std::move(done)]() mutable {
    state->max_bytes = max_bytes;
    state->done = std::move(done);
  });
}

void RocksmqLog::Run() {
  while (!stop_) {
    TakeCommands();
    if (EnsureOpen()) {
      Status status = ServeAll();  // what is at hand needs no look at the files
      const Duration gap = SomebodyWaits() ? Gap() : options_.spare_poll;
      if (status.ok() && clock_.Now() >= last_look_ + gap) {
        status = Look();
        if (status.ok()) status = ServeAll();
        if (status.ok()) status = AnswerLatest();
        if (status.ok()) status = AnswerHeld();
      }
      if (!status.ok()) GiveUpStore(status.error());
    }
    Wait();
  }
  for (const auto& tail : tails_) tail->scan.reset();
}

void RocksmqLog::TakeCommands() {
  std::vector<std::function<void()>> commands;
  {
    const std::lock_guard lock(mutex_);
    commands.swap(commands_);
  }
  for (const auto& command : commands) command();
  std::erase_if(tails_, [](const auto& tail) {
    if (tail->closed) tail->scan.reset();  // here: its user may keep the state for a moment
    return tail->closed.load();
  });
  std::erase_if(topics_, [&](const auto& topic) {
    return std::none_of(tails_.begin(), tails_.end(),
                        [&](const auto& tail) { return tail->topic == topic.first; });
  });
  for (const auto& tail : tails_) {
    topics_.try_emplace(tail->topic);
  }
}

bool RocksmqLog::EnsureOpen() {
  if (store_) return true;
  const TimePoint now = clock_.Now();
  if (now < next_open_) return false;
  auto opened = RocksmqStore::Open(path_);
  if (!opened.ok()) {
    GiveUpStore(opened.error());
    return false;
  }
  store_ = *std::move(opened);
  waker_.Watch();
  if (store_->identity() != identity_) {
    for (const auto& tail : tails_) tail->at_end = {};
    if (!identity_.empty()) LogWarn("RocksMQ store {} is another one than before", path_);
    identity_ = store_->identity();
  }
  for (auto& [name, topic] : topics_) topic = {};
  sequence_ = 0;
  active_ = true;
  last_look_ = {};
  return true;
}

void RocksmqLog::GiveUpStore(Error error) {
  for (const auto& tail : tails_) tail->scan.reset();
  store_.reset();
  ++failures_;
  next_open_ = clock_.Now() + backoff_.Next();
  const bool clear =
      error.kind == ErrorKind::kNotFound || error.kind == ErrorKind::kInvalid || !error.IsRetry();
  LogDebug("{} (failure {})", error.message, failures_);
  if (clear || failures_ > kQuietFailures) FailWaiting(error);
}

void RocksmqLog::FailWaiting(const Error& error) {
  for (const auto& tail : tails_) {
    if (tail->done) std::exchange(tail->done, nullptr)(error);
  }
  for (const LatestRequest& request : std::exchange(latest_, {})) request.done(error);
  for (const HeldRequest& request : std::exchange(held_, {})) request.done(error);
}

// Two phases: what is new now may be read only after the next catch-up. When the log was quiet that
// one follows at once, so that a single message waits no poll longer.
Status RocksmqLog::Look() {
  const bool was_active = active_;
  CDC_RETURN_IF_ERROR(Advance());
  if ((active_ && !was_active) || Unsettled()) CDC_RETURN_IF_ERROR(Advance());
  busy_looks_ = active_ ? std::min(busy_looks_ + 1, kBusyLooks) : 0;
  last_look_ = clock_.Now();
  for (const auto& tail : tails_) {
    if (tail->scan && last_look_ - tail->scan_used > kScanIsOld) tail->scan.reset();
  }
  failures_ = 0;
  backoff_.Reset();
  return OkStatus();
}

bool RocksmqLog::Unsettled() const {
  return std::any_of(topics_.begin(), topics_.end(),
                     [](const auto& topic) { return topic.second.views < 2; });
}

Status RocksmqLog::Advance() {
  CDC_RETURN_IF_ERROR(store_->CatchUp());
  const uint64_t sequence = store_->Sequence();
  const bool changed = std::exchange(sequence_, sequence) != sequence;
  std::vector<std::string> names;
  const bool unsettled = Unsettled();
  for (auto& [name, topic] : topics_) {
    topic.safe = topic.seen;
    ++topic.views;
    names.push_back(name);
  }
  const TimePoint now = clock_.Now();
  // A hole is filled without a new sequence number: one more look after every change.
  if (changed || active_ || unsettled || now - last_full_ > kFullLook) {
    CDC_ASSIGN_OR_RETURN(const auto newest, store_->Newest(names));
    for (size_t i = 0; i < names.size(); ++i) topics_[names[i]].seen = newest[i];
    last_full_ = now;
  }
  active_ = changed;
  return OkStatus();
}

Status RocksmqLog::ServeAll() {
  for (const auto& tail : tails_) {
    if (tail->done && !tail->closed) CDC_RETURN_IF_ERROR(Serve(tail.get()));
  }
  return OkStatus();
}

Status RocksmqLog::Serve(TailState* tail) {
  const Topic& topic = topics_[tail->topic];
  if (topic.views < 2) return OkStatus();
  if (!topic.safe) {
    if (!topic.seen) tail->at_end = clock_.Now();
    return OkStatus();
  }
  CDC_ASSIGN_OR_RETURN(const bool more, Check(tail, *topic.safe));
  if (!more) return OkStatus();
  return Deliver(tail, *topic.safe);
}

// Is there something to read up to `safe`? Fails the Read when the place is no longer held.
Result<bool> RocksmqLog::Check(TailState* tail, uint64_t safe) {
  if (tail->place.kind == LogPosition::Kind::kEarliest || tail->scan) return true;
  const uint64_t id = tail->place.id.minor;
  const TimePoint now = clock_.Now();
  if (safe < id) {
    if (tail->ahead_since == TimePoint{}) tail->ahead_since = now;
    if (now - tail->ahead_since < options_.ahead_grace) return false;
    std::exchange(tail->done, nullptr)(PositionGone(
        *tail,
        Format("the log ends before it, at {}: was the source restored or made anew?", safe)));
    return false;
  }
  tail->ahead_since = {};
  if (safe == id && tail->place.kind == LogPosition::Kind::kAfter) {
    tail->at_end = now;
    return false;
  }
  if (tail->at_end != TimePoint{} && now - tail->at_end < kEndIsFresh) return true;
  CDC_ASSIGN_OR_RETURN(const bool held, store_->Contains(tail->topic, id));
  if (held) return true;
  std::exchange(tail->done, nullptr)(PositionGone(*tail, "the log no longer holds it"));
  return false;
}

Error RocksmqLog::PositionGone(const TailState& tail, std::string_view why) const {
  const auto oldest = store_->Oldest(tail.topic);
  std::optional<LogId> held;
  if (oldest.ok() && *oldest) held = LogId{0, **oldest};
  return PositionGoneError(tail.topic, tail.place, why, held);
}

Status RocksmqLog::Deliver(TailState* tail, uint64_t safe) {
  uint64_t first = 0;
  if (tail->place.kind == LogPosition::Kind::kAt) first = tail->place.id.minor;
  if (tail->place.kind == LogPosition::Kind::kAfter) first = tail->place.id.minor + 1;
  std::vector<RawEntry> entries;
  size_t bytes = 0;
  const auto take = [&](uint64_t id, std::string_view payload) {
    if (!entries.empty() && bytes + payload.size() > tail->max_bytes) return false;
    bytes += payload.size();
    entries.push_back({LogId{0, id}, tail->scan->Keep(payload)});
    return true;
  };
  if (!tail->scan) {
    tail->scan = store_->Scan(tail->topic, first);
    tail->scan_last = safe;
  }
  tail->scan_used = clock_.Now();
  CDC_ASSIGN_OR_RETURN(const bool more, tail->scan->Run(tail->scan_last, take));
  if (!more) tail->scan.reset();
  tail->has_more = more;
  if (entries.empty()) return OkStatus();  // retention took what was there
  tail->place = {LogPosition::Kind::kAfter, entries.back().id};
  tail->at_end = {};
  std::exchange(tail->done, nullptr)(std::move(entries));
  return OkStatus();
}

Status RocksmqLog::AnswerLatest() {
  for (const LatestRequest& request : std::exchange(latest_, {})) {
    auto newest = store_->Newest(request.topics);
    if (!newest.ok()) {
      request.done(newest.error());
      return newest.error();
    }
    std::map<std::string, LogPosition> positions;
    for (size_t i = 0; i < request.topics.size(); ++i) {
      LogPosition& position = positions[request.topics[i]];
      if ((*newest)[i]) position = {LogPosition::Kind::kAfter, LogId{0, *(*newest)[i]}};
    }
    request.done(std::move(positions));
  }
  return OkStatus();
}

Status RocksmqLog::AnswerHeld() {
  for (const HeldRequest& request : std::exchange(held_, {})) {
    auto held = HeldOf(request.places);
    const Status status = held.ok() || !held.error().IsRetry() ? OkStatus() : held.error();
    request.done(std::move(held));
    CDC_RETURN_IF_ERROR(status);
  }
  return OkStatus();
}

Result<std::map<std::string, HeldLog>> RocksmqLog::HeldOf(
    const std::map<std::string, LogPosition>& places) const {
  std::map<std::string, HeldLog> all;
  for (const auto& [topic, place] : places) {
    CDC_ASSIGN_OR_RETURN(const auto oldest, store_->Oldest(topic));
    if (!oldest) continue;
    HeldLog held;
    held.oldest = LogId{0, *oldest};
    if (place.kind != LogPosition::Kind::kEarliest) {
      if (place.id < held.oldest) {
        return PositionGoneError(topic, place, "the log no longer holds it", held.oldest);
      }
      held.bytes = store_->BytesBetween(topic, *oldest, place.id.minor);
    }
    all[topic] = held;
  }
  return all;
}

// Where every look brings something, rows are being written all the time: they wait for their tick
// anyway, and a look at the store costs as much as reading a hundred of them.
Duration RocksmqLog::Gap() const {
  return busy_looks_ < kBusyLooks ? options_.active_gap : options_.busy_gap;
}

bool RocksmqLog::SomebodyWaits() const {
  return !latest_.empty() || !held_.empty() ||
         std::any_of(tails_.begin(), tails_.end(),
                     [](const auto& tail) { return bool{tail->done}; });
}

bool RocksmqLog::HasCommands() {
  const std::lock_guard lock(mutex_);
  return !commands_.empty();
}

void RocksmqLog::Wait() {
  if (HasCommands()) return;  // nobody wakes this thread up for its own
  if (!store_) {
    waker_.WaitForCommand(next_open_ - clock_.Now());
    return;
  }
  const bool somebody = SomebodyWaits();
  if (somebody && waker_.WaitForCommand(last_look_ + Gap() - clock_.Now())) return;
  if (active_ && somebody) return;  // the second phase of what was just seen
  if (!somebody) {
    waker_.WaitForCommand(last_look_ + options_.spare_poll - clock_.Now());
    return;
  }
  const Duration poll = waker_.tells() ? options_.told_poll : options_.idle_poll;
  waker_.WaitForCommandOrWrite(last_look_ + poll - clock_.Now());
}

}  // namespace

std::shared_ptr<RawLog> OpenRocksmqLog(std::string path, RocksmqOptions options) {
  return std::make_shared<RocksmqLog>(std::move(path), options);
}

}  // namespace cdc
