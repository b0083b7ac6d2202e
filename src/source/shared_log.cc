#include "source/shared_log.h"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/thread_executor.h"

namespace cdc {
namespace {

constexpr size_t kKeptBytes = 64 << 10;  // although all have it: for who comes a little later
constexpr size_t kMostBytes = 2 << 20;   // for who has not taken it yet

using Kind = LogPosition::Kind;

size_t Size(const RawEntry& entry) {
  return entry.payload.bytes.size() + sizeof(RawEntry);
}

struct Hub;

// What one reader wants.
struct Member {
  std::string topic;
  LogPosition place;  // kAfter what was delivered last, once there is one
  size_t max_bytes = 0;
  RawTail::Done done;  // of the Read in progress
  std::shared_ptr<Hub> hub;
};

// Readers at about one place of a topic, their tail, and what of it not all have taken.
struct Hub {
  explicit Hub(std::shared_ptr<ReadBudget> budget) : budget(std::move(budget)) {}
  ~Hub() { budget->Remove(kept_bytes); }
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  const std::shared_ptr<ReadBudget> budget;  // charged with the kept bytes
  LogPosition begin;                         // the kept entries follow it
  std::deque<RawEntry> kept;
  size_t kept_bytes = 0;
  std::unique_ptr<RawTail> tail;  // nullptr: not opened yet
  bool reading = false;
  bool arrived = false;  // something has come of its tail, be it an error
  std::vector<std::shared_ptr<Member>> members;

  LogPosition end() const {
    return kept.empty() ? begin : LogPosition{Kind::kAfter, kept.back().id};
  }
  void Keep(RawEntry entry) {
    kept_bytes += Size(entry);
    budget->Add(Size(entry));
    kept.push_back(std::move(entry));
  }
  void DropOldest() {
    const size_t bytes = Size(kept.front());
    begin = {Kind::kAfter, kept.front().id};
    kept_bytes -= bytes;
    budget->Remove(bytes);
    kept.pop_front();
  }
  bool KeepsTooMuch() const { return kept_bytes > kMostBytes || !budget->HasRoom(); }
  // The first kept entry that a reader at `place` wants; nullopt: this is not the hub for it.
  std::optional<size_t> Find(const LogPosition& place) const {
    if (place == begin) return 0;
    if (place.kind == Kind::kEarliest) return std::nullopt;
    const auto at =
        std::lower_bound(kept.begin(), kept.end(), place.id,
                         [](const RawEntry& entry, const LogId& id) { return entry.id < id; });
    if (at == kept.end() || at->id != place.id) return std::nullopt;
    return static_cast<size_t>(at - kept.begin()) + (place.kind == Kind::kAfter ? 1 : 0);
  }
};

// A callback and what it is to be called with, once the mutex is released.
struct Delivery {
  RawTail::Done done;
  Result<std::vector<RawEntry>> entries;
};
using Deliveries = std::vector<Delivery>;

void Deliver(Deliveries deliveries) {
  for (Delivery& delivery : deliveries) delivery.done(std::move(delivery.entries));
}

// Places in the order of the log.
bool Before(const LogPosition& a, const LogPosition& b) {
  const auto key = [](const LogPosition& place) {
    return std::make_tuple(place.kind != Kind::kEarliest, place.id, place.kind);
  };
  return key(a) < key(b);
}

// All hubs. Callbacks of the log hold it, so it owns neither the log nor a thread.
class Hubs : public std::enable_shared_from_this<Hubs> {
 public:
  // Both outlive Close().
  Hubs(RawLog* log, Executor* executor, std::shared_ptr<ReadBudget> budget)
      : log_(log), executor_(executor), budget_(std::move(budget)) {}

  void Read(const std::shared_ptr<Member>& member, size_t max_bytes, RawTail::Done done);
  bool HasMore(const Member& member);
  void Remove(const std::shared_ptr<Member>& member);
  void Close();

 private:
  using OfTopic = std::vector<std::shared_ptr<Hub>>;  // the oldest first

  void Serve(const std::shared_ptr<Member>& member, Deliveries* deliveries);
  std::shared_ptr<Hub> Best(const Member& member);
  void Leave(const std::shared_ptr<Member>& member);
  void OpenHubs(const std::string& topic, Deliveries* deliveries);
  void Pump(const std::string& topic, const std::shared_ptr<Hub>& hub);
  void Arrive(const std::string& topic, const std::shared_ptr<Hub>& hub,
              Result<std::vector<RawEntry>> entries);
  void Pass(const std::shared_ptr<Hub>& hub, std::vector<RawEntry> entries, Deliveries* deliveries);
  void Later(Deliveries deliveries);

  RawLog* const log_;
  Executor* const executor_;
  const std::shared_ptr<ReadBudget> budget_;
  std::mutex mutex_;
  bool closed_ = false;
  std::map<std::string, OfTopic> hubs_;
};

void Hubs::Read(const std::shared_ptr<Member>& member, size_t max_bytes, RawTail::Done done) {
  const std::lock_guard lock(mutex_);
  member->max_bytes = max_bytes;
  member->done = std::move(done);
  Deliveries deliveries;
  Serve(member, &deliveries);
  Later(std::move(deliveries));
}

bool Hubs::HasMore(const Member& member) {
  const std::lock_guard lock(mutex_);
  if (closed_ || !member.hub) return false;
  const std::optional<size_t> first = member.hub->Find(member.place);
  if (first && *first < member.hub->kept.size()) return true;
  return member.hub->tail && member.hub->tail->HasMore();
}

void Hubs::Remove(const std::shared_ptr<Member>& member) {
  const std::lock_guard lock(mutex_);
  member->done = nullptr;
  if (!member->hub || closed_) return;
  Leave(member);
  Deliveries deliveries;
  OpenHubs(member->topic, &deliveries);
  Later(std::move(deliveries));
}

void Hubs::Close() {
  std::map<std::string, OfTopic> hubs;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  hubs.swap(hubs_);
  for (auto& [topic, all] : hubs) {
    for (const auto& hub : all) hub->tail.reset();
  }
}

// No callback runs before the call that took it has returned.
void Hubs::Later(Deliveries deliveries) {
  if (deliveries.empty()) return;
  executor_->Post([deliveries = std::make_shared<Deliveries>(std::move(deliveries))] {
    Deliver(std::move(*deliveries));
  });
}

// Gives a waiting member what there is for it, or sees to it that more comes.
void Hubs::Serve(const std::shared_ptr<Member>& member, Deliveries* deliveries) {
  if (closed_) return;
  std::optional<size_t> first = member->hub ? member->hub->Find(member->place) : std::nullopt;
  if (!first || *first == member->hub->kept.size()) {
    // Another hub may have more, or be the one where all meet.
    const std::shared_ptr<Hub> best = Best(*member);
    if (best != member->hub) {
      if (member->hub) Leave(member);
      member->hub = best;
      best->members.push_back(member);
      OpenHubs(member->topic, deliveries);
      if (!member->done || member->hub != best) return;  // served on the way
    }
    first = best->Find(member->place);
  }
  const std::shared_ptr<Hub> hub = member->hub;
  if (*first == hub->kept.size()) {
    Pump(member->topic, hub);
    return;
  }
  std::vector<RawEntry> entries;
  size_t bytes = 0;
  for (size_t i = *first; i < hub->kept.size(); ++i) {
    bytes += hub->kept[i].payload.bytes.size();
    if (!entries.empty() && bytes > member->max_bytes) break;
    entries.push_back(hub->kept[i]);
  }
  member->place = {Kind::kAfter, entries.back().id};
  deliveries->push_back({std::exchange(member->done, nullptr), std::move(entries)});
}

// The hub to be in: one that has something for this place, else the oldest at it, else a new one.
std::shared_ptr<Hub> Hubs::Best(const Member& member) {
  OfTopic& hubs = hubs_[member.topic];
  std::shared_ptr<Hub> best;
  for (const auto& hub : hubs) {
    const std::optional<size_t> first = hub->Find(member.place);
    if (!first) continue;
    if (*first < hub->kept.size()) return hub;
    if (!best) best = hub;
  }
  if (!best) {
    best = std::make_shared<Hub>(budget_);
    best->begin = member.place;
    hubs.push_back(best);
  }
  return best;
}

void Hubs::Leave(const std::shared_ptr<Member>& member) {
  const std::shared_ptr<Hub> hub = std::exchange(member->hub, nullptr);
  std::erase(hub->members, member);
  if (!hub->members.empty()) return;
  const auto topic = hubs_.find(member->topic);
  std::erase(topic->second, hub);
  if (topic->second.empty()) hubs_.erase(topic);
  // Not here: this may be a thread that the tail waits for.
  if (hub->tail) executor_->Post([tail = std::shared_ptr<RawTail>(std::move(hub->tail))] {});
}

// Opens hubs that wait for it. While a tail before theirs has not told anything yet, it may become
// theirs as well: tasks that start together begin within a few ticks of each other.
void Hubs::OpenHubs(const std::string& topic, Deliveries* deliveries) {
  const auto found = hubs_.find(topic);
  if (found == hubs_.end()) return;
  OfTopic waiting;
  for (const auto& hub : found->second) {
    if (!hub->tail) waiting.push_back(hub);
  }
  std::sort(waiting.begin(), waiting.end(),
            [](const auto& a, const auto& b) { return Before(a->begin, b->begin); });
  for (const auto& hub : waiting) {
    const OfTopic& all = hubs_[topic];
    const bool met = std::any_of(all.begin(), all.end(), [&](const auto& other) {
      return other->tail && other->Find(hub->begin).has_value();
    });
    if (met) {
      const auto members = hub->members;
      for (const auto& member : members) {
        if (member->done) Serve(member, deliveries);
      }
      continue;
    }
    const bool soon = std::any_of(all.begin(), all.end(), [&](const auto& other) {
      return other->tail && !other->arrived && Before(other->begin, hub->begin);
    });
    if (soon) continue;
    hub->tail = log_->Open(topic, hub->begin);
    Pump(topic, hub);
  }
}

void Hubs::Pump(const std::string& topic, const std::shared_ptr<Hub>& hub) {
  if (!hub->tail || hub->reading) return;
  size_t max_bytes = 0;
  for (const auto& member : hub->members) {
    if (member->done) max_bytes = std::max(max_bytes, member->max_bytes);
  }
  if (max_bytes == 0) return;
  hub->reading = true;
  hub->tail->Read(max_bytes,
                  [self = shared_from_this(), topic, hub](Result<std::vector<RawEntry>> entries) {
                    self->Arrive(topic, hub, std::move(entries));
                  });
}

void Hubs::Arrive(const std::string& topic, const std::shared_ptr<Hub>& hub,
                  Result<std::vector<RawEntry>> entries) {
  Deliveries deliveries;
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || !hub->tail) return;
    hub->reading = false;
    const bool first = !std::exchange(hub->arrived, true);
    if (entries.ok()) {
      Pass(hub, *std::move(entries), &deliveries);
    } else {
      for (const auto& member : hub->members) {
        if (!member->done) continue;
        deliveries.push_back({std::exchange(member->done, nullptr), entries.error()});
      }
    }
    if (first) OpenHubs(topic, &deliveries);
  }
  Deliver(std::move(deliveries));
}

void Hubs::Pass(const std::shared_ptr<Hub>& hub, std::vector<RawEntry> entries,
                Deliveries* deliveries) {
  if (hub->members.size() == 1 && hub->kept.empty() && hub->members.front()->done) {
    Member& member = *hub->members.front();
    member.place = hub->begin = {Kind::kAfter, entries.back().id};
    deliveries->push_back({std::exchange(member.done, nullptr), std::move(entries)});
    return;
  }
  for (RawEntry& entry : entries) hub->Keep(std::move(entry));
  size_t taken = hub->kept.size();  // by all
  const auto members = hub->members;
  for (const auto& member : members) {
    if (member->done) Serve(member, deliveries);
    taken = std::min(taken, hub->Find(member->place).value_or(taken));
  }
  while (hub->kept_bytes > kKeptBytes && (taken > 0 || hub->KeepsTooMuch())) {
    if (taken > 0) --taken;
    hub->DropOldest();
  }
}

class SharedTail final : public RawTail {
 public:
  SharedTail(std::shared_ptr<Hubs> hubs, std::shared_ptr<Member> member)
      : hubs_(std::move(hubs)), member_(std::move(member)) {}
  ~SharedTail() override { hubs_->Remove(member_); }
  void Read(size_t max_bytes, Done done) override {
    hubs_->Read(member_, max_bytes, std::move(done));
  }
  bool HasMore() const override { return hubs_->HasMore(*member_); }

 private:
  const std::shared_ptr<Hubs> hubs_;
  const std::shared_ptr<Member> member_;
};

class SharedLog final : public RawLog {
 public:
  SharedLog(std::shared_ptr<RawLog> log, std::shared_ptr<ReadBudget> budget)
      : log_(std::move(log)),
        thread_("cdc-fan-out"),
        hubs_(std::make_shared<Hubs>(log_.get(), &thread_, std::move(budget))) {}
  ~SharedLog() override {
    hubs_->Close();
    thread_.Stop();
  }

  std::unique_ptr<RawTail> Open(const std::string& topic, LogPosition from) override {
    auto member = std::make_shared<Member>();
    member->topic = topic;
    member->place = from;
    return std::make_unique<SharedTail>(hubs_, std::move(member));
  }
  void Latest(std::vector<std::string> topics, LatestDone done) override {
    log_->Latest(std::move(topics), std::move(done));
  }
  void Held(std::map<std::string, LogPosition> places, HeldDone done) override {
    log_->Held(std::move(places), std::move(done));
  }
  Result<LogId> DecodeId(const std::string& bytes) const override { return log_->DecodeId(bytes); }

 private:
  const std::shared_ptr<RawLog> log_;
  ThreadExecutor thread_;
  const std::shared_ptr<Hubs> hubs_;
};

}  // namespace

std::shared_ptr<RawLog> ShareTails(std::shared_ptr<RawLog> log,
                                   std::shared_ptr<ReadBudget> budget) {
  return std::make_shared<SharedLog>(std::move(log), std::move(budget));
}

}  // namespace cdc
