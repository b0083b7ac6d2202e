// Replication: one running task. It wires the catalog loop (Reconciler) and the data loop
// (Channels) together, keeps the checkpoint, and answers how it is doing.
//
// Lives on the executor of its target; all ports must outlive it. Never blocks. Made for each run
// of a task: a paused and resumed task is a new Replication that starts from the stored progress.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/executor.h"
#include "pipeline/channel.h"
#include "pipeline/flush_follower.h"
#include "pipeline/ports.h"
#include "pipeline/rbac_follower.h"
#include "pipeline/reconciler.h"
#include "pipeline/start_rule.h"

namespace cdc {

struct ReplicationCounters {
  uint64_t rows_inserted = 0;  // acknowledged by the target
  uint64_t rows_deleted = 0;
  // Inserts sent in the form that may be applied twice: after a crash, and where a collection was
  // taken over with rows of its own.
  uint64_t rows_replayed = 0;
  uint64_t bytes = 0;
  uint64_t messages_skipped = 0;    // of objects not selected or dropped, or before their start
  uint64_t messages_other = 0;      // of kinds that carry no data
  uint64_t operations_unknown = 0;  // of the operation topic: unreadable, or of an unknown kind
  uint64_t troubles = 0;            // how often something had to be tried again
};

struct ReplicatedCollection {
  std::string source_database;
  std::string source_name;
  CollectionId source_id = 0;
  TargetName target;
  std::string phase;
  Timestamp safe_ts = 0;  // every source change of it up to here is readable on the target
  int64_t lag_ms = 0;     // of its channels
};

struct ReplicatedChannel {
  std::string name;
  Timestamp read_ts = 0;   // read and handed on up to here
  Timestamp acked_ts = 0;  // acknowledged by the target up to here
};

struct ReplicationStatus {
  bool failed = false;
  bool warning = false;
  std::string reason;       // of the failure, or the oldest standing warning
  int64_t since_ms = 0;     // unix time when that began
  uint64_t retries = 0;     // how often it was met again since
  int64_t retry_at_ms = 0;  // unix time of the next attempt; 0: at once, or not known
  Timestamp safe_ts = 0;    // every source change up to it is readable on the target
  Timestamp target_ts = 0;  // guarantee timestamp for reading the target; 0: use Strong
  int64_t lag_ms = 0;       // age of the oldest change not acknowledged; 0 when there is none
  ReplicationCounters counters;
  std::vector<ReplicatedChannel> channels;  // that matter now
  uint64_t collection_count = 0;
  std::vector<ReplicatedCollection> collections;  // if they were asked for
};

class Replication final : public ChannelHost, public ReconcilerHost {
 public:
  struct Options {
    Reconciler::Options reconciler;
    Channel::Options channel;
    std::string target;  // identity of the target
    // Users of the target that are not followed: root, and whom we log in as.
    std::set<std::string> untouched_users = {kRootUser};
    Duration checkpoint_interval = std::chrono::seconds(1);
    Duration idle_checkpoint_interval = std::chrono::seconds(10);
    Duration silence_warning = std::chrono::seconds(5);  // a live channel ticks every 200 ms
    Duration stop_timeout = std::chrono::seconds(3);
    Duration warning_delay = std::chrono::seconds(2);  // what passes sooner is no change of state
  };
  struct Ports {
    LogSource* log = nullptr;
    OperationSource* operations = nullptr;  // may be null
    std::unique_ptr<CatalogFeed> catalog;
    TargetAdmin* admin = nullptr;
    LaneSet* lanes = nullptr;
    ReadGovernor* governor = nullptr;
    ProgressStore* store = nullptr;
    // Users and roles; both null: they are not followed.
    std::unique_ptr<RbacFeed> rbac_feed;
    RbacAdmin* rbac_admin = nullptr;
  };

  // `on_failed` is posted once when the task cannot go on; Stop is still to be called.
  Replication(Options options, TaskProgress progress, Executor* executor, Ports ports,
              std::function<void(Error)> on_failed);
  ~Replication() override;

  // Called with the reason when a warning has stood for `warning_delay`, and with an empty text
  // when there is none any more; before Start(), if at all.
  void OnWarning(std::function<void(const std::string& reason)> on_warning) {
    on_warning_ = std::move(on_warning);
  }
  void Start();
  // Stops reading, waits for what is in flight (bounded), writes the final checkpoint, then calls
  // `done`. Must not be destroyed before.
  void Stop(std::function<void()> done);
  ReplicationStatus Status(bool with_collections = true) const;

  // ChannelHost
  Routing Route(Channel* channel, const Change& change) override;
  void OnDelivered(Channel* channel, const Change& change, bool replay) override;
  void OnAcked(Channel* channel, const Change& change, size_t bytes) override;
  void OnDropMessage(Channel* channel, const Change& change, uint64_t token) override;
  void OnOther(Channel* channel, const Change& change) override;
  void OnReadTrouble(Channel* channel, const Error* error) override;
  void OnRefused(CollectionId collection, const Error& error) override;
  void OnLaneTrouble(Channel* channel, const std::string& lane, const Error* error) override;
  void OnCheckpointMoved(Channel* channel) override;
  void Persist(const ChannelCheckpoint& checkpoint, Callback<cdc::Status> done) override;

  // ReconcilerHost
  Channel* OpenChannel(const std::string& pchannel, const Object& object) override;
  Channel* FindChannel(const std::string& pchannel) override;
  void ResumeChannels() override;
  void Write(ProgressWrite write, Callback<cdc::Status> done) override;
  void Latest(std::vector<std::string> channels,
              Callback<Result<std::map<std::string, LogPosition>>> done) override;
  void RefreshCatalog(CollectionId collection, Callback<cdc::Status> done) override;
  void SetTrouble(const std::string& key, const Error* error) override;
  void Fail(const Error& error) override;

 private:
  void FollowRbac();
  ChannelCheckpoint StartOf(const std::string& pchannel, const Object& object);
  std::optional<LogPosition> OperationsDone() const;
  void ScheduleCheckpoint();
  void WatchForSilence();
  void WriteCheckpoints(bool final, Callback<cdc::Status> done);
  void WaitQuiet(TimePoint deadline, std::function<void()> done);
  void TellTrouble(ReplicationStatus* status) const;
  void TellWarning();
  std::vector<ReplicatedCollection> Collections(int64_t now_ms) const;

  struct Trouble {
    Error error;
    int64_t since_ms = 0;
    int64_t retry_at_ms = 0;
    uint64_t retries = 0;
  };

  const Options options_;
  const StartRule starts_;
  TaskProgress progress_;  // as stored at the start
  Executor* const executor_;
  Ports ports_;
  std::function<void(Error)> on_failed_;
  std::function<void(const std::string&)> on_warning_;
  bool warning_told_ = false;
  uint64_t warnings_ = 0;  // times that troubles began
  Reconciler reconciler_;
  std::unique_ptr<FlushFollower> flushes_;
  std::unique_ptr<RbacFollower> rbac_;
  std::map<std::string, std::unique_ptr<Channel>> channels_;
  std::map<std::string, ChannelCheckpoint> starting_;  // opened in this very callback
  std::map<std::string, ChannelCheckpoint> written_;
  std::optional<LogPosition> operations_done_;
  TimePoint last_checkpoint_;
  bool rows_moved_ = false;
  bool checkpointing_ = false;
  bool resuming_ = false;
  bool stopping_ = false;
  std::optional<Error> failure_;
  int64_t failed_at_ms_ = 0;
  std::map<std::string, Trouble> troubles_;
  ReplicationCounters counters_;
  Alive alive_;
};

}  // namespace cdc
