#include "bench/replication_run.h"

#include <atomic>
#include <cstdio>
#include <future>
#include <limits>
#include <map>

#include "base/thread_executor.h"
#include "bench/milvus_messages.h"
#include "pipeline/replication.h"
#include "sink/blackhole/blackhole_sink.h"
#include "sink/milvus/milvus_sink.h"
#include "source/log_source.h"
#include "source/shared_log.h"
#include "store/sqlite_store.h"

namespace cdc::bench {
namespace {

// One collection that is there from the beginning.
class OneCollection final : public CatalogFeed {
 public:
  OneCollection(Executor* executor, std::vector<std::string> channels, Timestamp created)
      : executor_(executor), channels_(std::move(channels)), created_(created) {}

  void Start(Callback<CatalogUpdate> on_update, Callback<Status>) override {
    auto collection = std::make_shared<SourceCollection>();
    collection->id = kCollection;
    collection->db_id = 1;
    collection->name = collection->schema.name = "rows";
    Field key;
    key.id = 100;
    key.name = "id";
    key.data_type = 5;
    key.primary_key = true;
    collection->schema.fields = {key};
    collection->create_ts = created_;
    for (size_t i = 0; i < channels_.size(); ++i) {
      collection->vchannels.push_back(VchannelOf(channels_[i], i));
    }
    collection->pchannels = channels_;
    collection->partitions[1] = {1, "_default", ObjectState::kCreated, created_};
    CatalogUpdate update;
    update.cluster_id = 1;
    update.revision = 1;
    update.full = true;
    update.databases = {{1, kDefaultDatabase, ObjectState::kCreated, {}}};
    update.collections = {collection};
    executor_->Post([on_update, update] { on_update(update); });
  }
  void Refresh(CollectionId, Callback<Status> done) override {
    executor_->Post([done] { done(OkStatus()); });
  }

 private:
  Executor* const executor_;
  const std::vector<std::string> channels_;
  const Timestamp created_;
};

class CountedStore final : public ProgressStore {
 public:
  explicit CountedStore(ProgressStore* store) : store_(store) {}
  void Commit(ProgressWrite write, Callback<Status> done) override {
    ++commits_;
    store_->Commit(std::move(write), std::move(done));
  }
  size_t commits() const { return commits_; }

 private:
  ProgressStore* const store_;
  size_t commits_ = 0;
};

// Passes batches on and keeps count, and keeps them if asked to.
class Recorder final : public DataSink {
 public:
  Recorder(DataSink* sink, std::vector<std::shared_ptr<const LaneBatch>>* sent)
      : sink_(sink), sent_(sent) {}
  void Send(std::shared_ptr<const LaneBatch> batch, Callback<size_t> progress,
            Callback<SendOutcome> done) override {
    for (const LaneItem& item : batch->items) rows_ += item.change.num_rows;
    if (sent_ != nullptr) sent_->push_back(batch);
    sink_->Send(std::move(batch), std::move(progress), std::move(done));
  }
  void Drain(const std::string& lane, Callback<Status> done) override {
    sink_->Drain(lane, std::move(done));
  }
  uint64_t rows() const { return rows_; }

 private:
  DataSink* const sink_;
  std::vector<std::shared_ptr<const LaneBatch>>* const sent_;
  uint64_t rows_ = 0;
};

}  // namespace

Result<Measured> Replicate(const Run& run) {
  CDC_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store, OpenSqliteStore(run.store));
  ThreadExecutor executor("bench");
  const auto budget = std::make_shared<ReadBudget>();
  const std::unique_ptr<LogSource> log =
      MakeLogSource(ShareTails(run.log, budget), &executor, budget);
  StoredTask task;
  task.spec.id = "bench";
  task.spec.mode = run.mode;
  ProgressWrite first;
  first.task = task.spec.id;
  for (const std::string& channel : run.channels) {
    first.channels.push_back({channel, LogPosition{}, run.begin - 1, run.begin - 1});
  }
  CDC_RETURN_IF_ERROR(store->AddTask(task, first));
  CDC_ASSIGN_OR_RETURN(TaskProgress progress, store->LoadProgress(task.spec.id));

  const std::unique_ptr<ProgressStore> writer = store->OpenProgress(executor);
  CountedStore counted(writer.get());
  BlackholeTarget target(&executor);
  MilvusSink server(run.target, run.mode, &executor);
  Recorder sink(run.mode == TargetMode::kBlackhole ? static_cast<DataSink*>(&target) : &server,
                run.sent);
  LaneSet::Options lane_options;
  lane_options.lane.merge = run.mode != TargetMode::kApi;
  LaneSet lanes("bench", lane_options, {}, &executor, &sink, &counted);
  ReadGovernor governor(&executor, ReadGovernor::Options{});
  Replication::Options options;
  options.target = "bench";
  options.reconciler.task = task.spec.id;
  options.reconciler.mode = run.mode;
  options.reconciler.selection.includes = {{"*", "*"}};
  if (run.without_fence) {
    options.channel.fence_ahead = ComposeTimestamp(int64_t{1} << 40);
    options.channel.behind = std::chrono::hours(24 * 365);
    options.channel.window_bytes = std::numeric_limits<size_t>::max() / 4;
  }
  Replication::Ports ports;
  ports.log = log.get();
  ports.catalog = std::make_unique<OneCollection>(&executor, run.channels, run.begin - 1);
  ports.admin = &target;
  ports.lanes = &lanes;
  ports.governor = &governor;
  ports.store = &counted;

  std::atomic<Timestamp> end = run.end;
  std::promise<Status> done;
  bool over = false;  // only the executor's
  const auto finish = [&](Status status) {
    if (!std::exchange(over, true)) done.set_value(std::move(status));
  };
  std::unique_ptr<Replication> replication;
  const TimePoint began = executor.clock().Now();
  std::function<void()> look = [&] {
    const Timestamp safe = replication->Status().safe_ts;
    if (run.watch) run.watch(safe);
    if (end != 0 && safe >= end) return finish(OkStatus());
    if (run.at_most != Duration(0) && executor.clock().Now() - began >= run.at_most) {
      return finish(OkStatus());
    }
    executor.PostAfter(run.look, look);
  };
  executor.RunAndWait([&] {
    replication =
        std::make_unique<Replication>(std::move(options), std::move(progress), &executor,
                                      std::move(ports), [&](const Error& error) { finish(error); });
    replication->Start();
    look();
  });
  if (run.write) end = run.write();
  const Status status = done.get_future().get();
  Measured measured;
  measured.seconds = std::chrono::duration<double>(executor.clock().Now() - began).count();
  executor.RunAndWait([&] {
    measured.commits = counted.commits();
    measured.rows = sink.rows();
    replication.reset();
  });
  executor.Stop();
  if (!status.ok()) return status.error();
  return measured;
}

Result<double> SendAll(const TargetAddress& target, TargetMode mode,
                       const std::vector<std::shared_ptr<const LaneBatch>>& batches) {
  ThreadExecutor executor("bench");
  std::promise<Status> done;
  std::unique_ptr<MilvusSink> sink;
  std::map<std::string, std::vector<std::shared_ptr<const LaneBatch>>> lanes;
  for (const auto& batch : batches) lanes[batch->lane].push_back(batch);
  size_t left = lanes.size();
  bool over = false;
  const auto finish = [&](const Status& status) {
    if (!std::exchange(over, true)) done.set_value(status);
  };
  std::function<void(const std::string&, size_t)> send = [&](const std::string& lane, size_t next) {
    if (next == lanes[lane].size()) {
      if (--left == 0) finish(OkStatus());
      return;
    }
    sink->Send(
        lanes[lane][next], [](size_t) {},
        [&, lane, next](const SendOutcome& outcome) {
          if (!outcome.status.ok()) return finish(outcome.status);
          send(lane, next + 1);
        });
  };
  const TimePoint began = executor.clock().Now();
  executor.RunAndWait([&] {
    sink = std::make_unique<MilvusSink>(target, mode, &executor);
    for (const auto& [lane, all] : lanes) send(lane, 0);
  });
  const Status status = done.get_future().get();
  const auto seconds = std::chrono::duration<double>(executor.clock().Now() - began).count();
  executor.RunAndWait([&] { sink.reset(); });
  executor.Stop();
  if (!status.ok()) return status.error();
  return seconds;
}

}  // namespace cdc::bench
