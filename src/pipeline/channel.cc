#include "pipeline/channel.h"

#include <algorithm>
#include <utility>

namespace cdc {
Channel::Channel(ChannelCheckpoint start, Options options, Executor* executor, LogSource* log,
                 LaneSet* lanes, ReadGovernor* governor, ChannelHost* host)
    : name_(start.channel),
      options_(options),
      executor_(executor),
      log_(log),
      lanes_(lanes),
      governor_(governor),
      host_(host),
      start_(start),
      backoff_(options.retry_initial, options.retry_max),
      tracker_(start.seek, start.filter),
      resolved_(start.filter),
      fence_(start.fence) {
  governor_id_ = governor_->Register(alive_.Guard([this] { Read(); }));
  governor_->SetResolved(governor_id_, resolved_);
}

Channel::~Channel() {
  for (auto& [name, edge] : edges_) {
    edge.lane->Leave(edge.id);
    if (!lanes_->merging()) lanes_->Release(name);
  }
  governor_->Unregister(governor_id_);
}

void Channel::Start() {
  reader_ = log_->Open(name_, start_.seek);
  ticked_at_ = executor_->clock().Now();
  Read();
}

void Channel::Halt() {
  halted_ = true;
  reader_.reset();
  for (auto& [name, edge] : edges_) edge.lane->Discard(edge.id);
}

bool Channel::Quiet() const {
  return std::all_of(edges_.begin(), edges_.end(),
                     [](const auto& edge) { return edge.second.lane->Quiet(edge.second.id); });
}

ChannelCheckpoint Channel::FinalCheckpoint() const {
  ChannelCheckpoint checkpoint = Checkpoint();
  checkpoint.fence = std::max(checkpoint.filter, highest_handed_);
  // What an earlier life may have sent, and this one did not get to, stays fenced.
  if (checkpoint.filter < start_.fence) {
    checkpoint.fence = std::max(checkpoint.fence, start_.fence);
  }
  return checkpoint;
}

void Channel::Resume() {
  if (holding_) {
    holding_ = false;
    Pump();
  }
}

void Channel::JoinLane(const std::string& lane_name) {
  EdgeRef& edge = edges_[lane_name];
  if (edge.objects++ > 0) return;
  edge.lane = lanes_->Get(lane_name);
  edge.id = edge.lane->Join(this, resolved_);
  governor_->SetAwaited(governor_id_, true);
}

void Channel::LeaveLane(const std::string& lane_name) {
  const auto it = edges_.find(lane_name);
  if (it == edges_.end() || --it->second.objects > 0) return;
  it->second.lane->Leave(it->second.id);
  std::erase(active_edges_, &it->second);
  edges_.erase(it);
  host_->OnLaneTrouble(this, lane_name, nullptr);  // no longer ours
  if (!lanes_->merging()) lanes_->Release(lane_name);
  governor_->SetAwaited(governor_id_, !edges_.empty());
}

void Channel::Forget(CollectionId collection) {
  bool any = false;
  sent_.TakeIf([&](const Sent& sent) { return sent.change.collection_id == collection; },
               [&](uint64_t token, const Sent& sent) {
                 sent_bytes_ -= sent.bytes;
                 Finish(token, sent.bytes);
                 any = true;
               });
  if (!any) return;
  governor_->SetHanded(governor_id_, !ready_.empty() || !sent_.empty());
  executor_->Post(alive_.Guard([this] {
    if (!holding_) Pump();
    host_->OnCheckpointMoved(this);
  }));
}

void Channel::Ack(uint64_t token) {
  tracker_.Ack(token);
  host_->OnCheckpointMoved(this);
}

ChannelCheckpoint Channel::Checkpoint() const {
  return {name_, tracker_.Seek(), tracker_.Filter(), std::max(fence_, fence_asked_)};
}

bool Channel::Passed(const LogPosition& position) const {
  if (position.kind == LogPosition::Kind::kEarliest) return true;
  const LogPosition seek = tracker_.Seek();
  if (seek.kind == LogPosition::Kind::kEarliest) return false;
  return seek.kind == LogPosition::Kind::kAfter ? seek.id >= position.id : seek.id > position.id;
}

void Channel::Read() {
  if (reading_ || !reader_ || !governor_->MayRead(governor_id_)) return;
  reading_ = true;
  ++reads_;
  if (read_troubled_) {
    // A silent channel answers nothing: no news for a while is good news.
    executor_->PostAfter(options_.retry_max, alive_.Guard([this, read = reads_] {
      if (!reading_ || reads_ != read || !read_troubled_) return;
      read_troubled_ = false;
      host_->OnReadTrouble(this, nullptr);
    }));
  }
  reader_->Read(
      std::min(options_.read_bytes, governor_->Share()),
      alive_.Guard([this](Result<std::vector<Change>> result) { OnRead(std::move(result)); }));
}

void Channel::OnRead(Result<std::vector<Change>> result) {
  reading_ = false;
  if (!result.ok()) {
    read_troubled_ = true;
    Error error = result.error();
    if (error.IsRetry()) {
      error.retry_in = backoff_.Next();
      executor_->PostAfter(error.retry_in, alive_.Guard([this] { Read(); }));
    }
    host_->OnReadTrouble(this, &error);  // last: the host may stop the task
    return;
  }
  backoff_.Reset();
  if (read_troubled_) {
    read_troubled_ = false;
    host_->OnReadTrouble(this, nullptr);
  }
  for (Change& change : *result) Accept(std::move(change));
  host_->OnCheckpointMoved(this);
  Read();
}

void Channel::Accept(Change change) {
  switch (change.kind) {
    case ChangeKind::kTimeTick:
      tracker_.Seen(change.id);
      OnTick(change);
      return;
    case ChangeKind::kCreateCollection:
    case ChangeKind::kOther:
      tracker_.Seen(change.id);
      host_->OnOther(this, change);
      return;
    default:
      break;
  }
  // Acknowledged in an earlier life, or read before.
  if (change.ts <= start_.filter || buffer_.IsLateCopy(change)) {
    tracker_.Seen(change.id);
    return;
  }
  const uint64_t token = tracker_.Add(change.id, change.ts);
  governor_->Charge(governor_id_, change.MemoryUsage());
  buffer_.Add({std::move(change), token});
}

Duration Channel::Silence() const {
  if (!reading_ || read_troubled_) return Duration(0);
  return executor_->clock().Now() - ticked_at_;
}

void Channel::OnTick(const Change& tick) {
  ticked_at_ = executor_->clock().Now();
  tick_ = std::max(tick_, tick.ts);
  tracker_.Resolve(tick_);
  TickBuffer::Released released = buffer_.Release(tick_);
  for (const TrackedChange& copy : released.copies) {
    Finish(copy.token, copy.change.MemoryUsage());
  }
  for (TrackedChange& change : released.changes) ready_.push_back(std::move(change));
  if (!holding_) Pump();
}

void Channel::Pump() {
  if (pumping_ || halted_) return;  // a callee called Resume(): the loop below goes on anyway
  pumping_ = true;
  while (!ready_.empty() && PumpFront()) {
  }
  pumping_ = false;
  AdvanceEdges();
}

// Routes the first change; false when it has to wait.
bool Channel::PumpFront() {
  const Change& change = ready_.front().change;
  const uint64_t token = ready_.front().token;
  const size_t bytes = change.MemoryUsage();
  if (change.kind == ChangeKind::kDropCollection || change.kind == ChangeKind::kDropPartition) {
    const Change drop = std::move(ready_.front().change);
    ready_.pop_front();
    governor_->Release(governor_id_, bytes);
    host_->OnDropMessage(this, drop, token);
    return true;
  }
  if (!FenceCovers(change.ts)) return false;
  holding_ = true;  // before Route: it may call Resume() from within
  Routing routing = host_->Route(this, change);
  if (routing.kind == Routing::Kind::kHold) return !holding_;
  holding_ = false;
  Change moved = std::move(ready_.front().change);
  ready_.pop_front();
  const auto edge = routing.to ? edges_.find(routing.to->lane) : edges_.end();
  if (edge == edges_.end()) {
    Finish(token, bytes);
    return true;
  }
  Change light = moved;
  light.payload = {};
  const bool replay = moved.ts <= start_.fence || routing.replay;
  host_->OnDelivered(this, light, replay);
  sent_.Put(token, Sent{std::move(light), bytes});
  sent_bytes_ += bytes;
  highest_handed_ = std::max(highest_handed_, moved.ts);
  edge->second.queued = moved.ts;
  if (!std::exchange(edge->second.active, true)) active_edges_.push_back(&edge->second);
  edge->second.lane->Enqueue(edge->second.id, std::move(moved), std::move(routing.to), token,
                             replay);
  return true;
}

// Nothing is handed to a lane before the fence that covers it is durable.
bool Channel::FenceCovers(Timestamp ts) {
  if (ts > fence_soon_) ExtendFence();
  fenced_off_ = ts > fence_;
  return !fenced_off_;
}

// Up to the change that fills the window, or a little beyond what has been read. The sooner the
// target acknowledges, the more may be ahead: it will be as quick with a replay.
void Channel::ExtendFence() {
  if (fence_writing_ || sent_bytes_ >= options_.window_bytes / 2) return;
  Timestamp fence = 0;
  Timestamp soon = 0;
  size_t bytes = 0;
  const size_t room = options_.window_bytes - sent_bytes_ * 3 / 2;
  for (size_t i = 0; i < ready_.size(); ++i) {
    const Change& change = ready_[i].change;
    bytes += change.MemoryUsage();
    fence = change.ts;
    if (bytes < room / 2) soon = fence;
    if (bytes >= room) break;
  }
  if (bytes < room) {
    // While catching up there may be any amount of rows in what comes next.
    const std::chrono::milliseconds age(executor_->clock().WallMillis() - PhysicalMillis(tick_));
    const uint64_t ahead = age > options_.behind ? 0 : options_.fence_ahead;
    fence = std::max(fence, tick_) + ahead;
    soon = fence - ahead / 2;
  }
  fence_soon_ = fence > fence_ ? soon : fence;
  if (fence <= fence_) return;
  fence_writing_ = true;
  fence_asked_ = std::max(fence_asked_, fence);
  ChannelCheckpoint checkpoint = Checkpoint();
  host_->Persist(checkpoint, alive_.Guard([this, fence = checkpoint.fence](Status status) {
    fence_writing_ = false;
    if (!status.ok()) {
      fence_soon_ = 0;
      executor_->PostAfter(std::chrono::milliseconds(200), alive_.Guard([this] { Pump(); }));
      return;
    }
    fence_ = std::max(fence_, fence);
    if (!holding_) Pump();
  }));
}

void Channel::AdvanceEdges() {
  resolved_ = std::max(resolved_, ready_.empty() ? tick_ : ready_.front().change.ts - 1);
  governor_->SetResolved(governor_id_, resolved_);
  governor_->SetHanded(governor_id_, !ready_.empty() || !sent_.empty());
  // A lane that merges waits for all its edges; to the others only what is queued matters, and of
  // ten thousand of them hardly one has anything.
  if (lanes_->merging()) {
    for (auto& [name, edge] : edges_) edge.lane->Advance(edge.id, resolved_);
  } else {
    for (const EdgeRef* edge : active_edges_) edge->lane->Advance(edge->id, resolved_);
  }
  std::erase_if(active_edges_, [this](EdgeRef* edge) {
    edge->active = edge->queued > resolved_;
    return !edge->active;
  });
}

void Channel::Finish(uint64_t token, size_t bytes) {
  tracker_.Ack(token);
  governor_->Release(governor_id_, bytes);
}

void Channel::OnLaneAcked(uint64_t token) {
  const std::optional<Sent> sent = sent_.Take(token);
  if (!sent) return;
  sent_bytes_ -= sent->bytes;
  Finish(token, sent->bytes);
  governor_->SetHanded(governor_id_, !ready_.empty() || !sent_.empty());
  host_->OnAcked(this, sent->change, sent->bytes);
  if (fenced_off_ && !holding_) Pump();
}

void Channel::OnCollectionRefused(CollectionId collection, const Error& error) {
  host_->OnRefused(collection, error);
}

void Channel::OnLaneTrouble(const std::string& lane, const Error* error) {
  host_->OnLaneTrouble(this, lane, error);
}

}  // namespace cdc
