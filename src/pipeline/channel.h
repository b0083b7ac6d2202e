// Channel: one source pchannel of one task, from the log to the lanes.
//
//   LogReader -> TickBuffer -> route (deliver | skip | hold) -> lanes -> acknowledgements ->
//   checkpoint
//
// Holding is head-of-line: when the object of the first change is not ready on the target yet, the
// channel waits, since everything behind it is later in time. Lives on the pipeline's executor;
// owned by a Replication.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/executor.h"
#include "base/fifo.h"
#include "pipeline/ack_tracker.h"
#include "pipeline/lane_set.h"
#include "pipeline/ports.h"
#include "pipeline/read_governor.h"
#include "pipeline/tick_buffer.h"
#include "pipeline/token_table.h"

namespace cdc {

// Where a change goes.
struct Routing {
  enum class Kind { kDeliver, kSkip, kHold };
  Kind kind = Kind::kSkip;
  std::shared_ptr<const TargetAddressOfRows> to;  // for kDeliver
  bool replay = false;  // for kDeliver: it may be on the target already, as after a crash
};

class Channel;

// What a channel needs from its task. Called on the executor.
class ChannelHost {
 public:
  virtual ~ChannelHost() = default;
  // kHold: the host calls Channel::Resume() when the answer may have changed.
  virtual Routing Route(Channel* channel, const Change& change) = 0;
  // `replay`: it lies in the window that an earlier life may have sent already.
  virtual void OnDelivered(Channel* channel, const Change& change, bool replay) = 0;
  // `bytes`: what the change occupied in memory; its payload is gone by now.
  virtual void OnAcked(Channel* channel, const Change& change, size_t bytes) = 0;
  // A DropCollection or DropPartition in its place; the host calls Channel::Ack(token) once it has
  // been applied (or at once, when it concerns nothing of ours).
  virtual void OnDropMessage(Channel* channel, const Change& change, uint64_t token) = 0;
  virtual void OnOther(Channel* channel, const Change& change) = 0;
  virtual void OnReadTrouble(Channel* channel, const Error* error) = 0;  // nullptr: recovered
  virtual void OnRefused(CollectionId collection, const Error& error) = 0;
  virtual void OnLaneTrouble(Channel* channel, const std::string& lane, const Error* error) = 0;
  virtual void OnCheckpointMoved(Channel* channel) = 0;
  // Makes the channel's checkpoint durable.
  virtual void Persist(const ChannelCheckpoint& checkpoint, Callback<Status> done) = 0;
};

class Channel final : public LaneClient {
 public:
  struct Options {
    size_t read_bytes = 1 << 20;
    // The window that a crash leaves to be replayed: what was handed on and not acknowledged, and
    // what the fence covers besides; in source time beyond what has been read, and in bytes. What
    // was acknowledged behind a drop that is not through yet comes on top: to hold it back as well
    // could hold back what the drop waits for.
    uint64_t fence_ahead = ComposeTimestamp(2000);
    size_t window_bytes = 16 << 20;  // at most half of it not acknowledged
    // While the last tick is older than this, nothing is fenced beyond what has been read.
    Duration behind = std::chrono::seconds(5);
    Duration retry_initial = std::chrono::milliseconds(100);
    Duration retry_max = std::chrono::seconds(5);
  };

  Channel(ChannelCheckpoint start, Options options, Executor* executor, LogSource* log,
          LaneSet* lanes, ReadGovernor* governor, ChannelHost* host);
  ~Channel() override;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void Start();
  // Stops reading and handing on. What is in flight is still acknowledged.
  void Halt();
  // True when nothing of this channel is in flight any more.
  bool Quiet() const;
  // After Halt: the checkpoint with the fence at what was really handed on.
  ChannelCheckpoint FinalCheckpoint() const;
  // Tries again to route what is held.
  void Resume();
  // A live object on this channel feeds `lane`; counted, undone by LeaveLane.
  void JoinLane(const std::string& lane);
  void LeaveLane(const std::string& lane);
  // The collection is gone on both sides: nobody waits for its rows that are still under way.
  void Forget(CollectionId collection);
  void Ack(uint64_t token);

  const std::string& name() const { return name_; }
  ChannelCheckpoint Checkpoint() const;
  Timestamp filter() const { return tracker_.Filter(); }
  // Everything up to this time has been read and handed on (not: acknowledged).
  Timestamp resolved() const { return resolved_; }
  // No message with a lower or equal log id is unacknowledged.
  bool Passed(const LogPosition& position) const;
  bool has_objects() const { return !edges_.empty(); }
  // For lag: source time of the oldest change not yet acknowledged; 0 when there is none.
  Timestamp OldestOutstanding() const { return tracker_.OldestOutstanding(); }
  bool holding() const { return holding_; }
  // How long the log has been waited for without a time tick; 0 while it is not waited for.
  Duration Silence() const;

  // LaneClient
  void OnLaneAcked(uint64_t token) override;
  void OnCollectionRefused(CollectionId collection, const Error& error) override;
  void OnLaneTrouble(const std::string& lane, const Error* error) override;

 private:
  struct EdgeRef {
    Lane* lane = nullptr;
    Lane::EdgeId id = 0;
    int objects = 0;
    Timestamp queued = 0;  // time of the last change queued
    bool active = false;   // in `active_edges_`
  };
  void Read();
  void OnRead(Result<std::vector<Change>> result);
  void Accept(Change change);
  void OnTick(const Change& tick);
  void Pump();
  bool PumpFront();
  bool FenceCovers(Timestamp ts);
  void ExtendFence();
  void AdvanceEdges();
  void Finish(uint64_t token, size_t bytes);

  const std::string name_;
  const Options options_;
  Executor* const executor_;
  LogSource* const log_;
  LaneSet* const lanes_;
  ReadGovernor* const governor_;
  ChannelHost* const host_;

  const ChannelCheckpoint start_;  // start_.fence bounds what may have been sent by an earlier life
  std::unique_ptr<LogReader> reader_;
  bool reading_ = false;
  bool read_troubled_ = false;
  uint64_t reads_ = 0;
  Backoff backoff_;
  TickBuffer buffer_;
  AckTracker tracker_;
  Fifo<TrackedChange> ready_;  // released by a tick, in order, not yet routed
  Timestamp tick_ = 0;
  TimePoint ticked_at_;
  Timestamp resolved_ = 0;
  bool holding_ = false;
  bool pumping_ = false;
  bool halted_ = false;
  Timestamp highest_handed_ = 0;
  Timestamp fence_ = 0;        // durable
  Timestamp fence_asked_ = 0;  // on its way to the store: later checkpoints must not lower it
  bool fence_writing_ = false;
  Timestamp fence_soon_ = 0;  // beyond it the next fence is asked for
  bool fenced_off_ = false;   // the first change in `ready_` waits for the fence
  struct Sent {
    Change change;
    size_t bytes = 0;
  };
  TokenTable<Sent> sent_;  // delivered, not acknowledged
  size_t sent_bytes_ = 0;
  std::map<std::string, EdgeRef> edges_;
  std::vector<EdgeRef*> active_edges_;  // with changes beyond what they were told is resolved
  ReadGovernor::Id governor_id_ = 0;
  Alive alive_;
};

}  // namespace cdc
