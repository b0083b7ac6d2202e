// Lane: the ordered way into one target channel.
//
// replicate mode: one lane per target pchannel. It merges the source channels that feed it by
// timestamp, stamps rows strictly monotone (a row keeps its source timestamp unless the lane's
// clock has passed it), and closes every call with a time tick, which is what makes rows readable
// on a standby. api mode: one lane per source vchannel, a queue without merging or ticks.
//
// One call is in flight at a time; what arrives meanwhile forms the next call. A call whose outcome
// is unknown is drained and repeated in the idempotent form (LaneItem::replay). A call that fails
// for good is split by collection, so that only the offending one fails.
//
// Lives on the pipeline's executor; owned by a LaneSet. Edges are the feeding channels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/executor.h"
#include "base/fifo.h"
#include "pipeline/ports.h"

namespace cdc {

// What a lane tells the channel behind an edge. Called from within lane calls and completions.
class LaneClient {
 public:
  virtual ~LaneClient() = default;
  // The target acknowledged the entry.
  virtual void OnLaneAcked(uint64_t token) = 0;
  // Rows of this source collection are refused for good; its entries are no longer queued.
  virtual void OnCollectionRefused(CollectionId collection, const Error& error) = 0;
  // The lane cannot write at present (retry) or any more (fatal); recovered: nullptr.
  virtual void OnLaneTrouble(const std::string& lane, const Error* error) = 0;
};

class Lane {
 public:
  using EdgeId = uint64_t;

  struct Options {
    bool merge = true;                                        // replicate mode: merge, stamp, tick
    Duration tick_interval = std::chrono::milliseconds(500);  // of an idle lane
    // A tick although the source is silent: shows that the target is there, and a standby still.
    Duration keepalive = std::chrono::seconds(2);
    Duration max_clock_wait = std::chrono::seconds(2);  // see Lane()
    Duration hot_period = std::chrono::seconds(2);      // ticks follow at once so long after rows
    Duration max_hold = std::chrono::seconds(1);        // how long a stalled edge is waited for
    uint64_t late_slack = ComposeTimestamp(10'000);     // an edge joining further behind is late
    size_t max_batch_bytes = 8 << 20;
    Duration retry_initial = std::chrono::milliseconds(100);
    Duration retry_max = std::chrono::seconds(5);
  };

  // Makes stamps up to `stamp` durable as "may have been sent", then calls back.
  using EnsureFence =
      std::function<void(const std::string& lane, Timestamp stamp, std::function<void()> done)>;

  // `last_stamp`: the fence left by an earlier run; every new stamp is greater. A crash leaves it a
  // little ahead of the clock; nothing is sent until the clock has passed it, for a Milvus shows
  // rows of the future to nobody, however its ticks stand.
  Lane(std::string name, Options options, Timestamp last_stamp, Executor* executor, DataSink* sink,
       EnsureFence ensure_fence);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Every new stamp is greater than `stamp` too.
  void StampAbove(Timestamp stamp) { last_stamp_ = std::max(last_stamp_, stamp); }
  EdgeId Join(LaneClient* client, Timestamp resolved);
  // Forgets the edge's queued entries; those in flight go on and are reported.
  void Discard(EdgeId edge);
  // Discards, and forgets the edge itself: entries in flight are no longer reported.
  void Leave(EdgeId edge);
  // Queues one entry; entries of one edge come in order.
  void Enqueue(EdgeId edge, Change change, std::shared_ptr<const TargetAddressOfRows> to,
               uint64_t token, bool replay);
  // Everything of this edge with ts <= resolved has been queued.
  void Advance(EdgeId edge, Timestamp resolved);
  // Queues a drop message behind everything queued so far; `done` runs when it is acknowledged.
  // Only for merging lanes.
  void InjectDrop(ChangeKind kind, std::shared_ptr<const TargetAddressOfRows> to, Timestamp ts,
                  std::function<void()> done);
  // Re-examines ticks and stalled edges; called every 50 ms or so on merging lanes.
  void OnTimer();
  // Nothing is sent any more, whatever comes.
  void Close() { dead_ = true; }
  // True when no entry of the edge is in flight.
  bool Quiet(EdgeId edge) const;

  const std::string& name() const { return name_; }
  bool has_edges() const { return !edges_.empty(); }
  bool busy() const { return busy_; }
  Timestamp last_stamp() const { return last_stamp_; }
  Timestamp acked_tick() const { return acked_tick_; }
  uint64_t calls() const { return calls_; }

 private:
  struct Entry {
    Change change;
    std::shared_ptr<const TargetAddressOfRows> to;
    uint64_t token = 0;
    EdgeId edge = 0;  // 0: an injected drop
    bool replay = false;
    std::function<void()> done;  // of an injected drop
  };
  struct Edge {
    LaneClient* client = nullptr;
    Timestamp resolved = 0;
    TimePoint advanced_at;
    bool late = false;  // its rows are re-stamped anyway: the merge does not wait for it
    Fifo<Entry> queue;
  };

  Timestamp Frontier();
  void MaybeSend();
  void TakeRepeats();
  void TakeMerged(Timestamp frontier);
  void StampAndSend(Timestamp frontier);
  void SendStaged();
  void Drain(std::function<void()> then);
  void OnProgress(size_t applied);
  void OnSent(SendOutcome outcome);
  void OnFailed(const Error& error);
  void Refuse(const Error& error);
  void AckEntry(const Entry& entry);
  void Trouble(const Error* error);
  bool TickDue(Timestamp frontier) const;

  const std::string name_;
  const Options options_;
  Executor* const executor_;
  DataSink* const sink_;
  const EnsureFence ensure_fence_;

  std::map<EdgeId, Edge> edges_;
  EdgeId next_edge_ = 1;
  Fifo<Entry> injected_;
  Fifo<Entry> repeats_;   // of a failed call, sent before anything else
  bool isolate_ = false;  // repeats go out one collection at a time

  std::vector<Entry>
      unticked_;               // applied by a failed call: readable with the next tick, acked then
  std::vector<Entry> staged_;  // entries of the call being prepared or in flight
  size_t through_ = 0;         // of staged_: applied and acked while the rest is in flight
  std::shared_ptr<const LaneBatch> batch_;
  bool busy_ = false;  // a call is being prepared or in flight, or its failure is waited out
  bool troubled_ = false;
  bool drained_ = false;  // since this lane exists
  bool dead_ = false;     // the target refuses this lane for good

  Timestamp last_stamp_ = 0;
  Timestamp last_source_ts_ = 0;  // of the entry that got last_stamp_
  Timestamp last_tick_ = 0;
  Timestamp acked_tick_ = 0;
  TimePoint send_from_;
  TimePoint last_sent_;
  TimePoint hot_until_;
  Backoff backoff_;
  uint64_t calls_ = 0;
  Alive alive_;
};

}  // namespace cdc
