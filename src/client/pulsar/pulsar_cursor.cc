#include "client/pulsar/pulsar_cursor.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/log.h"

namespace cdc {
namespace {

using Kind = LogPosition::Kind;
using std::chrono::milliseconds;

constexpr int kRestQueue = 16;        // while little comes, or nothing is known of the sizes
constexpr uint64_t kMeanWindow = 64;  // messages that tell the size of the next ones
// For two messages and the one before them; more only costs memory.
constexpr int kAskQueue = kSmallestQueue + 2;
constexpr const char* kNotHeld = "the log no longer holds it";

}  // namespace

PulsarCursor::PulsarCursor(PulsarConnection* connection, const Clock* clock, std::string topic,
                           LogPosition from, PulsarCursorOptions options)
    : connection_(connection),
      clock_(clock),
      topic_(std::move(topic)),
      options_(options),
      place_(from),
      queue_(kRestQueue) {}

Result<std::vector<RawEntry>> PulsarCursor::Step(size_t max_bytes) {
  std::vector<RawEntry> entries;
  size_t bytes = 0;
  while (bytes < max_bytes) {
    if (!reader_ && !entries.empty()) break;
    while (!reader_) CDC_RETURN_IF_ERROR(Open());
    auto message = Take(entries.empty());
    const bool failed = !message.ok();
    // What stops a read in the middle shows again in the next one.
    if ((failed || !*message) && !entries.empty()) break;
    if (failed) {
      Close();
      return message.error();
    }
    if (!*message) {
      CDC_RETURN_IF_ERROR(Idle());
      return entries;
    }
    const auto verdict = Judge(**message);
    if (verdict.ok() && *verdict == Verdict::kPassOver) continue;
    const size_t size = (*message)->payload.bytes.size();
    if (!verdict.ok() || (!entries.empty() && bytes + size > max_bytes)) {
      if (reader_) pending_ = *std::move(message);
      if (entries.empty()) return verdict.error();
      break;
    }
    bytes += size;
    Deliver(**message, &entries);
  }
  AdaptQueue();
  return entries;
}

Status PulsarCursor::Open() {
  const std::optional<LogId> first =
      place_.kind == Kind::kEarliest ? std::nullopt : std::optional<LogId>(place_.id);
  CDC_ASSIGN_OR_RETURN(reader_, connection_->Open(topic_, first, queue_));
  first_ = true;
  taken_without_wait_ = 0;
  disconnected_since_ = stalled_since_ = {};
  // Whether this is the end must be known before something new comes, in case that the message of
  // the place was deleted when nothing came after it.
  if (place_.kind == Kind::kAfter && !EndIsFresh()) return Look();
  return OkStatus();
}

void PulsarCursor::Close() {
  reader_.reset();
  pending_.reset();
  end_was_fresh_ = false;
}

Result<std::optional<PulsarMessage>> PulsarCursor::Take(bool wait) {
  if (pending_) return std::exchange(pending_, std::nullopt);
  return reader_->Next(wait ? options_.wait : milliseconds(0));
}

Result<PulsarCursor::Verdict> PulsarCursor::Judge(const PulsarMessage& message) {
  if (place_.kind == Kind::kEarliest) return EndIsFresh() ? Verdict::kDeliver : Compare(message);
  if (first_ && message.id == place_.id) {
    first_ = false;
    return place_.kind == Kind::kAt ? Verdict::kDeliver : Verdict::kPassOver;
  }
  if (first_) return Compare(message);
  if (message.id <= place_.id) {
    // libpulsar begins a little earlier when it connects again; a batch repeats its id.
    const bool repeated = message.in_batch && message.id == place_.id;
    return repeated ? Verdict::kDeliver : Verdict::kPassOver;
  }
  const LogId successor = {place_.id.major, place_.id.minor + 1};
  return message.id == successor ? Verdict::kDeliver : Compare(message);
}

// Between the place and the message may be nothing (the end of a ledger, entries of the broker's
// own), or what was deleted, or what the broker passed over. A new reader tells; but the broker may
// move that one too, so what it does not show counts as gone the second time only.
Result<PulsarCursor::Verdict> PulsarCursor::Compare(const PulsarMessage& message) {
  if (place_.kind == Kind::kAfter && EndIsFresh()) end_was_fresh_ = true;
  for (int attempt = 0; attempt < 2; ++attempt) {
    CDC_ASSIGN_OR_RETURN(const Following following, AskWhatFollows());
    if (!following.place_held && !end_was_fresh_) {
      if (attempt > 0) return Gone(kNotHeld, following.next);
    } else if (following.next < message.id) {
      return StepBack(message.id, following.next);
    } else if (following.next == message.id || !following.place_held ||
               place_.kind == Kind::kEarliest) {
      return Verdict::kDeliver;
    }
  }
  return Trouble(Format("could not see whether {} is the next message {}", ToString(message.id),
                        ToString(place_)));
}

Result<PulsarCursor::Following> PulsarCursor::AskWhatFollows() {
  const std::optional<LogId> first =
      place_.kind == Kind::kEarliest ? std::nullopt : std::optional<LogId>(place_.id);
  CDC_ASSIGN_OR_RETURN(const auto reader, connection_->Open(topic_, first, kAskQueue));
  std::optional<bool> held;
  while (true) {
    CDC_ASSIGN_OR_RETURN(const auto message, reader->Next(options_.check_wait));
    if (!message) {
      return Trouble(Format("could not see in time what is held {}", ToString(place_)));
    }
    if (!held) held = !first || message->id == *first;
    const bool passed = place_.kind == Kind::kAfter && message->id <= place_.id;
    if (!passed) return Following{*held, message->id};
  }
}

// Reads again from the place; done in vain, it is an error, so that nobody runs in circles.
Result<PulsarCursor::Verdict> PulsarCursor::StepBack(const LogId& met, const LogId& next) {
  const std::string what = Format(
      "the broker sent {} though it has {} before it; so it moves readers that are further back "
      "than a message TTL",
      ToString(met), ToString(next));
  Close();
  if (std::exchange(stepped_back_, true)) return Trouble(what);
  LogWarn("{}: topic {}: {}; all is read from there", connection_->name(), topic_, what);
  return Verdict::kPassOver;
}

Status PulsarCursor::Idle() {
  taken_without_wait_ = 0;
  const TimePoint now = clock_->Now();
  if (!reader_->Connected()) {
    if (disconnected_since_ == TimePoint{}) disconnected_since_ = now;
    if (now - disconnected_since_ < options_.patience) return OkStatus();
    // libpulsar tries more and more rarely; a new reader begins at once.
    Close();
    return Trouble("the connection is lost");
  }
  disconnected_since_ = {};
  if (at_end_ != TimePoint{} && now - last_look_ < options_.look_every) return OkStatus();
  return Look();
}

// Asks where the topic ends. This also shows a connection that is dead without knowing it.
Status PulsarCursor::Look() {
  auto newest = reader_->Newest();
  if (!newest.ok()) {
    if (!reader_->Connected()) return OkStatus();  // which Idle sees to
    Close();
    return newest.error();
  }
  const TimePoint now = clock_->Now();
  last_look_ = now;
  const bool at_end = !*newest || (place_.kind == Kind::kAfter && **newest == place_.id);
  if (at_end) {
    ArriveAtEnd();
    return OkStatus();
  }
  if (place_.kind == Kind::kEarliest) return OkStatus();
  return LookAhead(**newest);
}

void PulsarCursor::ArriveAtEnd() {
  if (at_end_ == TimePoint{}) LogDebug("topic {}: nothing comes {}", topic_, ToString(place_));
  at_end_ = last_look_;
  stalled_since_ = ahead_since_ = {};
  // The next messages may be far larger, and nobody might read them for a while.
  if (queue_ <= kRestQueue || last_look_ - last_behind_ < options_.patience) return;
  queue_ = kRestQueue;
  Close();
}

// There is a newest message, and it is not the one of the place.
Status PulsarCursor::LookAhead(const LogId& newest) {
  const TimePoint now = clock_->Now();
  if (newest < place_.id) {
    if (ahead_since_ == TimePoint{}) ahead_since_ = now;
    if (now - ahead_since_ < options_.ahead_grace) return OkStatus();
    return Gone(Format("the log ends before it, at {}: was the source restored or made anew?",
                       ToString(newest)),
                std::nullopt);
  }
  ahead_since_ = {};
  if (stalled_since_ == TimePoint{}) stalled_since_ = now;
  if (now - stalled_since_ < options_.patience) return OkStatus();
  Close();
  return Trouble(Format("nothing comes though it is read from {} and the newest message is {}",
                        ToString(place_), ToString(newest)));
}

bool PulsarCursor::EndIsFresh() const {
  return at_end_ != TimePoint{} && clock_->Now() - at_end_ < options_.end_is_fresh;
}

Error PulsarCursor::Trouble(std::string_view what) const {
  return RetryError(Format("{}: topic {}: {}", connection_->name(), topic_, what),
                    ErrorKind::kUnavailable);
}

Error PulsarCursor::Gone(std::string_view why, const std::optional<LogId>& oldest) {
  Close();
  at_end_ = ahead_since_ = {};
  return PositionGoneError(topic_, place_, why, oldest);
}

void PulsarCursor::Deliver(const PulsarMessage& message, std::vector<RawEntry>* entries) {
  place_ = {Kind::kAfter, message.id};
  first_ = stepped_back_ = end_was_fresh_ = false;
  at_end_ = stalled_since_ = ahead_since_ = {};
  if (++taken_without_wait_ > kRestQueue) last_behind_ = clock_->Now();
  mean_bytes_ += message.payload.bytes.size();
  ++mean_count_;
  pace_.bytes += message.payload.bytes.size();
  if (pace_.first_ms == 0) pace_.first_ms = message.publish_ms;
  pace_.last_ms = std::max(pace_.last_ms, message.publish_ms);
  entries->push_back({message.id, message.payload, message.streaming || message.in_batch});
}

// libpulsar counts the messages that it lets the broker send ahead, not their bytes. A new number
// needs a new reader: so it changes only by factors, and grows only for who is behind.
void PulsarCursor::AdaptQueue() {
  if (mean_count_ < static_cast<uint64_t>(kRestQueue / 2) || pending_ || !reader_) return;
  const uint64_t mean = mean_bytes_ / mean_count_ + 1;
  if (mean_count_ >= 2 * kMeanWindow) {
    mean_bytes_ /= 2;
    mean_count_ /= 2;
  }
  const int wanted = std::clamp(static_cast<int>(options_.queue_bytes / mean), options_.min_queue,
                                options_.max_queue);
  const bool too_large = wanted * 2 <= queue_;
  const bool too_small = wanted >= queue_ * 2 && taken_without_wait_ >= 2 * queue_;
  if (!too_large && !too_small) return;
  LogDebug("topic {}: {} messages of about {} bytes may be sent ahead", topic_, wanted, mean);
  queue_ = wanted;
  Close();
}

}  // namespace cdc
