#include "pipeline/lane.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

namespace cdc {

Lane::Lane(std::string name, Options options, Timestamp last_stamp, Executor* executor,
           DataSink* sink, EnsureFence ensure_fence)
    : name_(std::move(name)),
      options_(options),
      executor_(executor),
      sink_(sink),
      ensure_fence_(std::move(ensure_fence)),
      last_stamp_(last_stamp),
      last_tick_(last_stamp),
      send_from_(executor->clock().Now()),
      last_sent_(executor->clock().Now() - options.tick_interval),
      hot_until_(executor->clock().Now()),
      backoff_(options.retry_initial, options.retry_max) {
  const std::chrono::milliseconds ahead(PhysicalMillis(last_stamp) -
                                        executor->clock().WallMillis());
  if (options_.merge && ahead.count() > 0) {
    send_from_ += std::min<Duration>(ahead, options_.max_clock_wait);
  }
}

Lane::~Lane() = default;

Lane::EdgeId Lane::Join(LaneClient* client, Timestamp resolved) {
  const EdgeId id = next_edge_++;
  Edge& edge = edges_[id];
  edge.client = client;
  edge.resolved = resolved;
  edge.advanced_at = executor_->clock().Now();
  edge.late = resolved + options_.late_slack < last_stamp_;
  return id;
}

void Lane::Discard(EdgeId id) {
  const auto it = edges_.find(id);
  if (it != edges_.end()) it->second.queue.clear();
  repeats_.EraseIf([id](const Entry& entry) { return entry.edge == id; });
}

void Lane::Leave(EdgeId id) {
  Discard(id);
  edges_.erase(id);
  if (!busy_) MaybeSend();
}

void Lane::Enqueue(EdgeId id, Change change, std::shared_ptr<const TargetAddressOfRows> to,
                   uint64_t token, bool replay) {
  const auto it = edges_.find(id);
  if (it == edges_.end()) return;
  it->second.queue.push_back({std::move(change), std::move(to), token, id, replay, nullptr});
}

void Lane::Advance(EdgeId id, Timestamp resolved) {
  const auto it = edges_.find(id);
  if (it == edges_.end()) return;
  Edge& edge = it->second;
  if (resolved > edge.resolved) {
    edge.resolved = resolved;
    edge.advanced_at = executor_->clock().Now();
  }
  if (edge.late && edge.resolved >= last_stamp_) edge.late = false;
  MaybeSend();
}

void Lane::InjectDrop(ChangeKind kind, std::shared_ptr<const TargetAddressOfRows> to, Timestamp ts,
                      std::function<void()> done) {
  Entry entry;
  entry.change.kind = kind;
  entry.change.ts = ts;
  entry.to = std::move(to);
  entry.done = std::move(done);
  injected_.push_back(std::move(entry));
  MaybeSend();
}

void Lane::OnTimer() {
  MaybeSend();
}

bool Lane::Quiet(EdgeId id) const {
  return std::none_of(staged_.begin(), staged_.end(),
                      [id](const Entry& entry) { return entry.edge == id; });
}

// The timestamp up to which every edge that counts has delivered everything.
Timestamp Lane::Frontier() {
  if (!options_.merge) {
    return edges_.empty() ? 0 : edges_.begin()->second.resolved;
  }
  constexpr Timestamp kNone = std::numeric_limits<Timestamp>::max();
  const TimePoint now = executor_->clock().Now();
  Timestamp newest = 0;
  for (const auto& [id, edge] : edges_) newest = std::max(newest, edge.resolved);
  Timestamp frontier = kNone;
  Timestamp late_frontier = kNone;
  for (auto& [id, edge] : edges_) {
    if (!edge.late && edge.resolved < newest && now - edge.advanced_at > options_.max_hold) {
      edge.late = true;
    }
    Timestamp& least = edge.late ? late_frontier : frontier;
    least = std::min(least, edge.resolved);
  }
  if (frontier != kNone) return frontier;
  return late_frontier == kNone ? 0 : late_frontier;
}

bool Lane::TickDue(Timestamp frontier) const {
  if (!options_.merge) return false;
  if (!unticked_.empty()) return true;
  if (edges_.empty()) return false;
  const TimePoint now = executor_->clock().Now();
  if (now - last_sent_ >= options_.keepalive) return true;
  return frontier > last_tick_ && (now < hot_until_ || now - last_sent_ >= options_.tick_interval);
}

void Lane::MaybeSend() {
  if (busy_ || dead_ || executor_->clock().Now() < send_from_) return;
  const Timestamp frontier = Frontier();
  staged_.clear();
  if (!repeats_.empty()) {
    TakeRepeats();
  } else {
    isolate_ = false;
    TakeMerged(frontier);
  }
  if (staged_.empty() && !TickDue(frontier)) return;
  StampAndSend(frontier);
}

void Lane::TakeRepeats() {
  size_t bytes = 0;
  while (!repeats_.empty()) {
    const Entry& next = repeats_.front();
    if (isolate_ && !staged_.empty() &&
        (next.edge != staged_.front().edge ||
         next.change.collection_id != staged_.front().change.collection_id)) {
      break;
    }
    bytes += next.change.MemoryUsage();
    if (!staged_.empty() && bytes > options_.max_batch_bytes) break;
    staged_.push_back(std::move(repeats_.front()));
    repeats_.pop_front();
  }
}

void Lane::TakeMerged(Timestamp frontier) {
  size_t bytes = 0;
  while (true) {
    // The lowest queued entry over all edges. A late edge's entries need not wait for the frontier.
    Edge* lowest = nullptr;
    for (auto& [id, edge] : edges_) {
      if (edge.queue.empty()) continue;
      const Timestamp ts = edge.queue.front().change.ts;
      const Timestamp limit = edge.late ? edge.resolved : std::max(frontier, last_stamp_);
      if (ts > limit) continue;
      if (lowest == nullptr || ts < lowest->queue.front().change.ts) lowest = &edge;
    }
    if (lowest == nullptr) break;
    bytes += lowest->queue.front().change.MemoryUsage();
    if (!staged_.empty() && bytes > options_.max_batch_bytes) return;
    staged_.push_back(std::move(lowest->queue.front()));
    lowest->queue.pop_front();
  }
  while (!injected_.empty()) {
    staged_.push_back(std::move(injected_.front()));
    injected_.pop_front();
  }
}

void Lane::StampAndSend(Timestamp frontier) {
  auto batch = std::make_shared<LaneBatch>();
  batch->lane = name_;
  batch->tick_before = last_tick_;
  batch->items.reserve(staged_.size());
  for (const Entry& entry : staged_) {
    const bool same = entry.change.ts == last_source_ts_ && last_stamp_ > last_tick_ &&
                      !entry.replay && entry.edge != 0;
    if (!same) {
      // A replayed insert needs the stamp below its own for its delete.
      const Timestamp least = last_stamp_ + (entry.replay ? 2 : 1);
      last_stamp_ = std::max(entry.change.ts, least);
      last_source_ts_ = entry.replay ? 0 : entry.change.ts;
    }
    batch->items.push_back({entry.change, entry.to, last_stamp_, entry.replay});
  }
  if (options_.merge) {
    // Everything up to the frontier left unless the batch was cut short or repeats something.
    bool more = !repeats_.empty();
    for (const auto& [id, edge] : edges_) {
      more = more || (!edge.queue.empty() && edge.queue.front().change.ts <= frontier);
    }
    const Timestamp least = staged_.empty() ? last_stamp_ + 1 : last_stamp_;
    batch->tick = more ? least : std::max(least, frontier);
    last_stamp_ = last_tick_ = batch->tick;
  }
  busy_ = true;
  if (!staged_.empty()) hot_until_ = executor_->clock().Now() + options_.hot_period;
  batch_ = std::move(batch);
  if (!options_.merge) {
    SendStaged();
    return;
  }
  ensure_fence_(name_, last_stamp_, alive_.Guard([this] { SendStaged(); }));
}

void Lane::SendStaged() {
  const bool replays =
      std::any_of(staged_.begin(), staged_.end(), [](const Entry& entry) { return entry.replay; });
  if (replays && !drained_) {
    // A call of an earlier life may still be travelling: it must not land after its replay.
    Drain([this] { SendStaged(); });
    return;
  }
  last_sent_ = executor_->clock().Now();
  ++calls_;
  sink_->Send(batch_, alive_.Guard([this](size_t applied) { OnProgress(applied); }),
              alive_.Guard([this](SendOutcome outcome) { OnSent(std::move(outcome)); }));
}

// Until no call of this lane can arrive any more, however often that has to be tried.
void Lane::Drain(std::function<void()> then) {
  sink_->Drain(name_, alive_.Guard([this, then = std::move(then)](const Status& status) {
    if (status.ok()) {
      drained_ = true;
      then();
      return;
    }
    const Duration wait = backoff_.Next();
    const Error error = status.error().RetriedIn(wait);
    Trouble(&error);
    executor_->PostAfter(wait, alive_.Guard([this, then] { Drain(then); }));
  }));
}

void Lane::OnProgress(size_t applied) {
  if (options_.merge) return;  // readable with the tick behind the batch, not before
  while (through_ < std::min(applied, staged_.size())) AckEntry(staged_[through_++]);
}

void Lane::OnSent(SendOutcome outcome) {
  const Timestamp tick = batch_->tick;
  batch_ = nullptr;
  const size_t applied = outcome.status.ok()
                             ? staged_.size()
                             : std::max(std::min(outcome.applied, staged_.size()), through_);
  std::vector<Entry> done = std::exchange(unticked_, {});
  if (done.empty() && applied == staged_.size()) {
    done = std::exchange(staged_, {});
  } else {
    const auto end = staged_.begin() + static_cast<std::ptrdiff_t>(applied);
    done.insert(done.end(), std::make_move_iterator(staged_.begin()), std::make_move_iterator(end));
    staged_.erase(staged_.begin(), end);
  }
  if (outcome.status.ok()) {
    acked_tick_ = std::max(acked_tick_, tick);
    backoff_.Reset();
    busy_ = false;
    Trouble(nullptr);
  }
  if (!outcome.status.ok() && options_.merge) {
    unticked_ = std::move(done);
    done.clear();
  }
  for (size_t i = std::exchange(through_, 0); i < done.size(); ++i) AckEntry(done[i]);
  if (outcome.status.ok()) {
    MaybeSend();
  } else {
    OnFailed(outcome.status.error());
  }
}

void Lane::AckEntry(const Entry& entry) {
  if (entry.done) entry.done();
  const auto it = edges_.find(entry.edge);
  if (it != edges_.end()) it->second.client->OnLaneAcked(entry.token);
}

void Lane::OnFailed(const Error& error) {
  // Whatever the error says, the call may have been applied in part: repeat idempotently.
  for (auto it = staged_.rbegin(); it != staged_.rend(); ++it) {
    if (it->edge != 0 && !edges_.contains(it->edge)) continue;
    if (it->change.kind == ChangeKind::kInsert) it->replay = true;
    repeats_.push_front(std::move(*it));
  }
  const bool promoted = error.kind == ErrorKind::kNotStandby || error.kind == ErrorKind::kStandby;
  if (promoted) {
    staged_.clear();
    dead_ = true;
    Trouble(&error);
    return;
  }
  if (!error.IsRetry() && !repeats_.empty()) {
    std::set<std::pair<EdgeId, CollectionId>> objects;
    repeats_.ForEach(
        [&](const Entry& entry) { objects.emplace(entry.edge, entry.change.collection_id); });
    if (isolate_ || objects.size() <= 1) Refuse(error);
    isolate_ = true;
    staged_.clear();
    busy_ = false;
    MaybeSend();
    return;
  }
  staged_.clear();
  const Duration wait = backoff_.Next();
  const Error retried = error.RetriedIn(wait);
  Trouble(&retried);
  Drain([this, wait] {
    executor_->PostAfter(wait, alive_.Guard([this] {
      busy_ = false;
      MaybeSend();
      if (!busy_) Trouble(nullptr);  // all of it was applied after all: nothing is left to try
    }));
  });
}

// The collection at the head of the repeats is refused for good: its entries leave the lane.
void Lane::Refuse(const Error& error) {
  const EdgeId edge = repeats_.front().edge;
  if (edge == 0) {  // a drop message: the target's own bookkeeping, not worth a task
    const std::function<void()> done = std::move(repeats_.front().done);
    repeats_.pop_front();
    done();
    return;
  }
  const CollectionId collection = repeats_.front().change.collection_id;
  repeats_.EraseIf([&](const Entry& entry) {
    return entry.edge == edge && entry.change.collection_id == collection;
  });
  const auto it = edges_.find(edge);
  if (it == edges_.end()) return;
  it->second.queue.EraseIf(
      [&](const Entry& entry) { return entry.change.collection_id == collection; });
  // Later: the client may leave this lane in response.
  executor_->Post(alive_.Guard([this, edge, collection, error] {
    const auto found = edges_.find(edge);
    if (found != edges_.end()) found->second.client->OnCollectionRefused(collection, error);
  }));
}

void Lane::Trouble(const Error* error) {
  if (error == nullptr && !troubled_) return;
  troubled_ = error != nullptr;
  std::set<LaneClient*> clients;
  for (const auto& [id, edge] : edges_) clients.insert(edge.client);
  for (LaneClient* client : clients) client->OnLaneTrouble(name_, error);
}

}  // namespace cdc
