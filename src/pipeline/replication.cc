#include "pipeline/replication.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/format.h"

namespace cdc {

Replication::Replication(Options options, TaskProgress progress, Executor* executor, Ports ports,
                         std::function<void(Error)> on_failed)
    : options_(std::move(options)),
      starts_(options_.reconciler.start),
      progress_(std::move(progress)),
      executor_(executor),
      ports_(std::move(ports)),
      on_failed_(std::move(on_failed)),
      reconciler_(options_.reconciler, progress_, executor, ports_.admin, ports_.lanes, this),
      last_checkpoint_(executor->clock().Now()) {
  if (ports_.operations != nullptr && progress_.operations) {
    FlushFollower::Host host;
    host.passed = [this](const std::vector<std::string>& channels, Timestamp ts) {
      return std::all_of(channels.begin(), channels.end(), [&](const std::string& name) {
        const auto it = channels_.find(name);
        return it == channels_.end() || it->second->filter() >= ts;
      });
    };
    host.moved = [this](const LogPosition& position) { operations_done_ = position; };
    host.trouble = [this](const Error* error) { SetTrouble("operations", error); };
    host.fail = [this](const Error& error) { Fail(error); };
    host.unknown = [this] { ++counters_.operations_unknown; };
    flushes_ = std::make_unique<FlushFollower>(*progress_.operations, executor_, ports_.operations,
                                               ports_.admin, &reconciler_, std::move(host));
  }
  if (ports_.rbac_feed != nullptr) FollowRbac();
}

void Replication::FollowRbac() {
  RbacFollower::Options options;
  options.selection = options_.reconciler.selection;
  options.drops = options_.reconciler.drops;
  options.untouched = options_.untouched_users;
  // 0: whatever it is now was accepted.
  if (progress_.source && progress_.source->cluster_id != 0) {
    options.source_cluster = progress_.source->cluster_id;
  }
  options.operations = progress_.operations.value_or(LogPosition{});
  RbacFollower::Ports ports;
  ports.feed = std::move(ports_.rbac_feed);
  ports.operations = progress_.operations ? ports_.operations : nullptr;
  ports.admin = ports_.rbac_admin;
  ports.remember = [this](const RbacCatalog& known, Callback<cdc::Status> done) {
    ProgressWrite write;
    write.rbac = known;
    Write(std::move(write), std::move(done));
  };
  rbac_ = std::make_unique<RbacFollower>(
      std::move(options), progress_.rbac.value_or(RbacCatalog{}), executor_, std::move(ports),
      [this](const Error* error) { SetTrouble("users and roles", error); });
}

Replication::~Replication() {
  channels_.clear();
}

void Replication::Start() {
  ports_.catalog->Start(alive_.Guard([this](CatalogUpdate update) {
    if (!stopping_) reconciler_.OnCatalog(update);
  }),
                        alive_.Guard([this](const cdc::Status& status) {
                          SetTrouble("etcd", status.ok() ? nullptr : &status.error());
                        }));
  if (flushes_) flushes_->Start();
  if (rbac_) rbac_->Start();
  ScheduleCheckpoint();
}

// ---- channels ---------------------------------------------------------------------------------

Channel* Replication::FindChannel(const std::string& pchannel) {
  const auto it = channels_.find(pchannel);
  return it == channels_.end() ? nullptr : it->second.get();
}

Channel* Replication::OpenChannel(const std::string& pchannel, const Object& object) {
  std::unique_ptr<Channel>& channel = channels_[pchannel];
  const auto starting = starting_.find(pchannel);
  if (channel && starting == starting_.end()) return channel.get();
  ChannelCheckpoint start = StartOf(pchannel, object);
  if (channel && !(start.seek < starting->second.seek)) return channel.get();
  // Not begun yet: it begins where the first of the objects named meanwhile begins.
  if (channel) start.filter = std::min(start.filter, starting->second.filter);
  starting_.insert_or_assign(pchannel, start);
  channel = std::make_unique<Channel>(start, options_.channel, executor_, ports_.log, ports_.lanes,
                                      ports_.governor, this);
  // Later: the first catalog update first names all objects, then rows may come.
  executor_->Post(alive_.Guard([this, pchannel] {
    if (starting_.erase(pchannel) > 0 && !stopping_) channels_.at(pchannel)->Start();
  }));
  return channel.get();
}

// Where a channel begins: at its checkpoint, or, when this task never needed it before, at the
// start position of the object that needs it now.
ChannelCheckpoint Replication::StartOf(const std::string& pchannel, const Object& object) {
  const auto stored = progress_.channels.find(pchannel);
  if (stored != progress_.channels.end() && !reconciler_.catalog_seen()) return stored->second;
  ChannelCheckpoint start;
  start.channel = pchannel;
  if (object.want && object.want->start_positions.contains(pchannel)) {
    const Result<LogId> id = ports_.log->DecodeId(object.want->start_positions.at(pchannel));
    if (id.ok()) {
      start.seek = {LogPosition::Kind::kAt, *id};
      // Nothing of ours on this channel is older than the object.
      start.filter = object.want->create_ts == 0 ? 0 : object.want->create_ts - 1;
    }
  }
  if (stored == progress_.channels.end()) return start;
  const bool behind = stored->second.seek.kind == LogPosition::Kind::kEarliest ||
                      stored->second.seek.id < start.seek.id;
  if (!behind) return stored->second;
  start.fence = stored->second.fence;
  return start;
}

void Replication::ResumeChannels() {
  if (resuming_) return;
  resuming_ = true;
  executor_->Post(alive_.Guard([this] {
    resuming_ = false;
    for (const auto& [name, channel] : channels_) channel->Resume();
  }));
}

Routing Replication::Route(Channel* channel, const Change& change) {
  const StartRule::Place place = starts_.PlaceOf(channel->name(), change);
  Routing routing;
  if (place != StartRule::Place::kBefore) routing = reconciler_.Route(channel, change);
  if (routing.kind == Routing::Kind::kSkip) ++counters_.messages_skipped;
  routing.replay = place == StartRule::Place::kMayBeThere;
  return routing;
}

void Replication::OnDelivered(Channel*, const Change& change, bool replay) {
  if (replay && change.kind == ChangeKind::kInsert) counters_.rows_replayed += change.num_rows;
  reconciler_.OnDelivered(change);
}

void Replication::OnAcked(Channel* channel, const Change& change, size_t bytes) {
  counters_.bytes += bytes;
  (change.kind == ChangeKind::kInsert ? counters_.rows_inserted : counters_.rows_deleted) +=
      change.num_rows;
  rows_moved_ = true;
  reconciler_.OnAcked(change);
  OnCheckpointMoved(channel);
}

void Replication::OnDropMessage(Channel* channel, const Change& change, uint64_t token) {
  reconciler_.OnDropMessage(channel, change, token);
}

void Replication::OnOther(Channel* channel, const Change& change) {
  ++counters_.messages_other;
  if (change.msg_type != kImportMsgType || !reconciler_.objects().contains(change.collection_id) ||
      starts_.PlaceOf(channel->name(), change) == StartRule::Place::kBefore) {
    return;
  }
  // The rows themselves are in files that this task never sees.
  const Error warning =
      RetryError(Format("collection {} had files imported at the source (ImportMsg, message {} of "
                        "{}), and their rows "
                        "are not replicated; import the same files into the target",
                        change.collection_id, ToString(change.id), channel->name()));
  SetTrouble(Format("import {}", change.collection_id), &warning);
}

void Replication::OnReadTrouble(Channel* channel, const Error* error) {
  if (error != nullptr && !error->IsRetry()) {
    Fail(*error);
    return;
  }
  SetTrouble("log " + channel->name(), error);
}

void Replication::OnRefused(CollectionId collection, const Error& error) {
  const auto it = reconciler_.objects().find(collection);
  if (it == reconciler_.objects().end()) return;  // dropped on both sides meanwhile
  const std::string name = ToString(it->second.name);
  Fail(error.Prefixed("the target refuses rows of collection " + name));
}

void Replication::OnLaneTrouble(Channel*, const std::string& lane, const Error* error) {
  const bool promoted = error != nullptr && (error->kind == ErrorKind::kNotStandby ||
                                             error->kind == ErrorKind::kStandby);
  if (promoted) {
    Fail(error->Prefixed(error->kind == ErrorKind::kNotStandby
                             ? "the target was promoted, nothing is written to it any more"
                             : "the target became a standby, nothing is written to it any more"));
    return;
  }
  SetTrouble("lane " + lane, error);
}

void Replication::OnCheckpointMoved(Channel* channel) {
  reconciler_.OnCheckpointMoved(channel);
  if (flushes_) flushes_->Continue();
}

// ---- what is remembered -----------------------------------------------------------------------

void Replication::Persist(const ChannelCheckpoint& checkpoint, Callback<cdc::Status> done) {
  ProgressWrite write;
  write.channels.push_back(checkpoint);
  Write(std::move(write), std::move(done));
}

void Replication::Write(ProgressWrite write, Callback<cdc::Status> done) {
  write.task = options_.reconciler.task;
  ports_.store->Commit(std::move(write),
                       alive_.Guard([this, done = std::move(done)](const cdc::Status& status) {
                         SetTrouble("store", status.ok() ? nullptr : &status.error());
                         done(status);
                       }));
}

void Replication::ScheduleCheckpoint() {
  executor_->PostAfter(options_.checkpoint_interval, alive_.Guard([this] {
    if (stopping_) return;
    WatchForSilence();
    const bool due = rows_moved_ || executor_->clock().Now() - last_checkpoint_ >=
                                        options_.idle_checkpoint_interval;
    if (due && !checkpointing_) WriteCheckpoints(false, [](const cdc::Status&) {});
    ScheduleCheckpoint();
  }));
}

// A channel with live collections that stopped ticking: the source is down, or its log is not the
// one that we read.
void Replication::WatchForSilence() {
  for (const auto& [name, channel] : channels_) {
    const Duration silence = channel->Silence();
    if (!channel->has_objects() || silence < options_.silence_warning) continue;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(silence).count();
    const Error error = RetryError(
        Format("nothing on channel {} for {} s, not even a time tick; is the source Milvus "
               "running, and does it write to the log that is read here?",
               name, seconds));
    SetTrouble("source", &error);
    return;
  }
  SetTrouble("source", nullptr);
}

// What both readers of the operation topic are done with.
std::optional<LogPosition> Replication::OperationsDone() const {
  if (!rbac_ || !operations_done_) return operations_done_;
  const std::optional<LogPosition> told = rbac_->operations_done();
  if (!told) return std::nullopt;
  return Earlier(*told, *operations_done_);
}

void Replication::WriteCheckpoints(bool final, Callback<cdc::Status> done) {
  ProgressWrite write;
  for (const auto& [name, channel] : channels_) {
    ChannelCheckpoint checkpoint = final ? channel->FinalCheckpoint() : channel->Checkpoint();
    const auto last = written_.find(name);
    if (last != written_.end() && last->second == checkpoint) continue;
    write.channels.push_back(std::move(checkpoint));
  }
  write.operations = OperationsDone();
  checkpointing_ = true;
  rows_moved_ = false;
  last_checkpoint_ = executor_->clock().Now();
  const std::vector<ChannelCheckpoint> channels = write.channels;
  Write(std::move(write), [this, channels, done = std::move(done)](const cdc::Status& status) {
    checkpointing_ = false;
    if (status.ok()) {
      for (const ChannelCheckpoint& checkpoint : channels) {
        written_[checkpoint.channel] = checkpoint;
      }
    } else {
      rows_moved_ = true;
    }
    done(status);
  });
}

// ---- the outside ------------------------------------------------------------------------------

void Replication::Latest(std::vector<std::string> channels,
                         Callback<Result<std::map<std::string, LogPosition>>> done) {
  ports_.log->Latest(std::move(channels), std::move(done));
}

void Replication::RefreshCatalog(CollectionId collection, Callback<cdc::Status> done) {
  ports_.catalog->Refresh(collection, std::move(done));
}

void Replication::SetTrouble(const std::string& key, const Error* error) {
  if (error == nullptr) {
    troubles_.erase(key);
    if (troubles_.empty() && std::exchange(warning_told_, false)) on_warning_("");
    return;
  }
  if (troubles_.empty() && on_warning_) {
    executor_->PostAfter(options_.warning_delay, alive_.Guard([this, warning = ++warnings_] {
      if (warning == warnings_) TellWarning();
    }));
  }
  ++counters_.troubles;
  const int64_t now = executor_->clock().WallMillis();
  const auto [it, fresh] = troubles_.try_emplace(key);
  Trouble& trouble = it->second;
  trouble.error = *error;
  if (fresh) trouble.since_ms = now;
  if (!fresh) ++trouble.retries;
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(error->retry_in).count();
  trouble.retry_at_ms = wait == 0 ? 0 : now + wait;
}

// The same warning as when it was to be told, or one that took its place meanwhile.
void Replication::TellWarning() {
  ReplicationStatus status;
  TellTrouble(&status);
  if (!status.warning || stopping_) return;
  warning_told_ = true;
  on_warning_(status.reason);
}

void Replication::Fail(const Error& error) {
  if (failure_ || stopping_) return;
  failure_ = error;
  failed_at_ms_ = executor_->clock().WallMillis();
  if (rbac_) rbac_->Halt();
  for (const auto& [name, channel] : channels_) channel->Halt();
  executor_->Post(alive_.Guard([this, error] { on_failed_(error); }));
}

void Replication::Stop(std::function<void()> done) {
  stopping_ = true;
  reconciler_.Halt();
  if (rbac_) rbac_->Halt();
  for (const auto& [name, channel] : channels_) channel->Halt();
  WaitQuiet(executor_->clock().Now() + options_.stop_timeout, [this, done = std::move(done)] {
    WriteCheckpoints(true, [done](const cdc::Status&) { done(); });
  });
}

void Replication::WaitQuiet(TimePoint deadline, std::function<void()> done) {
  const bool quiet =
      reconciler_.Quiet() && std::all_of(channels_.begin(), channels_.end(),
                                         [](const auto& entry) { return entry.second->Quiet(); });
  if (quiet || executor_->clock().Now() >= deadline) {
    done();
    return;
  }
  executor_->PostAfter(std::chrono::milliseconds(10),
                       alive_.Guard([this, deadline, done = std::move(done)]() mutable {
                         WaitQuiet(deadline, std::move(done));
                       }));
}

void Replication::TellTrouble(ReplicationStatus* status) const {
  if (failure_) {
    status->failed = true;
    status->reason = failure_->message;
    status->since_ms = failed_at_ms_;
    return;
  }
  if (troubles_.empty()) return;
  // That nothing is selected stands from the start: it must not hide that a peer is away.
  const auto rank = [](const auto& entry) {
    return std::pair(entry.first == kSelectionTrouble, entry.second.since_ms);
  };
  const auto oldest =
      std::min_element(troubles_.begin(), troubles_.end(),
                       [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  const Trouble& trouble = oldest->second;
  status->warning = true;
  status->reason = oldest->first + ": " + trouble.error.message;
  status->since_ms = trouble.since_ms;
  status->retries = trouble.retries;
  const bool ahead = trouble.retry_at_ms > executor_->clock().WallMillis();
  status->retry_at_ms = ahead ? trouble.retry_at_ms : 0;
}

std::vector<ReplicatedCollection> Replication::Collections(int64_t now_ms) const {
  std::vector<ReplicatedCollection> all;
  for (const auto& [id, object] : reconciler_.objects()) {
    ReplicatedCollection one{reconciler_.SourceDatabaseOf(object),
                             object.want ? object.want->name : "", id, object.name,
                             ToString(object.phase)};
    std::optional<Timestamp> safe;
    for (const std::string& name : object.pchannels()) {
      const auto channel = channels_.find(name);
      if (channel == channels_.end()) continue;
      safe = std::min(safe.value_or(channel->second->filter()), channel->second->filter());
      const Timestamp waiting = channel->second->OldestOutstanding();
      if (waiting != 0) one.lag_ms = std::max(one.lag_ms, now_ms - PhysicalMillis(waiting));
    }
    // Before it is there, none of its rows are, however far its channels have come.
    if (object.phase != ObjectPhase::kPending) one.safe_ts = safe.value_or(0);
    all.push_back(std::move(one));
  }
  return all;
}

ReplicationStatus Replication::Status(bool with_collections) const {
  ReplicationStatus status;
  status.counters = counters_;
  TellTrouble(&status);
  // What counts: channels of live collections, those not made on the target yet included, and
  // whatever still has something to acknowledge.
  std::set<std::string> needed;
  for (const auto& [id, object] : reconciler_.objects()) {
    if (object.dropped_at_source) continue;
    needed.insert(object.pchannels().begin(), object.pchannels().end());
  }
  Timestamp oldest = 0;
  std::optional<Timestamp> safe;
  for (const auto& [name, channel] : channels_) {
    const Timestamp waiting = channel->OldestOutstanding();
    if (waiting == 0 && !needed.contains(name)) continue;
    safe = std::min(safe.value_or(channel->filter()), channel->filter());
    status.channels.push_back({name, channel->resolved(), channel->filter()});
    if (waiting != 0 && (oldest == 0 || waiting < oldest)) oldest = waiting;
  }
  status.safe_ts = safe.value_or(0);
  const int64_t now = executor_->clock().WallMillis();
  if (oldest != 0) status.lag_ms = std::max<int64_t>(0, now - PhysicalMillis(oldest));
  if (ports_.lanes->merging()) status.target_ts = ports_.lanes->ReadableAt();
  status.collection_count = reconciler_.objects().size();
  if (with_collections) status.collections = Collections(now);
  return status;
}

}  // namespace cdc
