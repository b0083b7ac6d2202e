#include "server/target_engine.h"

#include <future>
#include <utility>

#include "sink/blackhole/blackhole_sink.h"
#include "sink/milvus/milvus_admin.h"
#include "sink/milvus/rbac_admin.h"

namespace cdc {
namespace {

// A BlackholeTarget is both ports at once; this lends it as the second one.
class BorrowedSink final : public DataSink {
 public:
  explicit BorrowedSink(DataSink* sink) : sink_(sink) {}
  void Send(std::shared_ptr<const LaneBatch> batch, Callback<size_t> progress,
            Callback<SendOutcome> done) override {
    sink_->Send(std::move(batch), std::move(progress), std::move(done));
  }
  void Drain(const std::string& lane, Callback<Status> done) override {
    sink_->Drain(lane, std::move(done));
  }

 private:
  DataSink* sink_;
};

}  // namespace

TargetEngine::TargetEngine(std::string identity, TargetMode mode, EngineOptions options,
                           SourceRuntime* source)
    : identity_(std::move(identity)),
      mode_(mode),
      options_(options),
      source_(source),
      executor_("cdc-target") {}

Result<std::unique_ptr<TargetEngine>> TargetEngine::Open(std::string identity, TargetMode mode,
                                                         const TargetAddress& address,
                                                         EngineOptions options,
                                                         SourceRuntime* source, Store* store) {
  CDC_ASSIGN_OR_RETURN(auto fences, store->LoadLaneFences(identity));
  std::shared_ptr<MilvusClient> client;
  if (mode != TargetMode::kBlackhole) {
    CDC_ASSIGN_OR_RETURN(client, MilvusClient::Open(address));
  }
  std::unique_ptr<TargetEngine> engine(
      new TargetEngine(std::move(identity), mode, options, source));
  TargetEngine* e = engine.get();
  e->executor_.RunAndWait([&] {
    Executor* executor = &e->executor_;
    e->progress_ = store->OpenProgress(*executor);
    if (mode == TargetMode::kBlackhole) {
      auto target = std::make_unique<BlackholeTarget>(executor);
      e->sink_ = std::make_unique<BorrowedSink>(target.get());
      e->admin_ = std::move(target);
    } else {
      e->admin_ = std::make_unique<MilvusAdmin>(client, mode, executor);
      e->rbac_admin_ = std::make_unique<MilvusRbacAdmin>(client, executor);
      auto sink = std::make_unique<MilvusSink>(address, mode, executor);
      e->rows_ = sink.get();
      e->sink_ = std::move(sink);
    }
    e->log_ = source->OpenLog(executor);
    e->operations_ = source->OpenOperations(executor);
    LaneSet::Options lanes;
    lanes.lane.merge = mode == TargetMode::kReplicate;
    lanes.lane.tick_interval = options.tick_interval;
    e->lanes_ = std::make_unique<LaneSet>(e->identity_, lanes, std::move(fences), executor,
                                          e->sink_.get(), e->progress_.get());
    e->governor_ = std::make_unique<ReadGovernor>(executor, ReadGovernor::Options{});
  });
  return engine;
}

TargetEngine::~TargetEngine() {
  if (!closed_) Close().wait_for(std::chrono::seconds(1));
  executor_.RunAndWait([&] {
    lanes_.reset();
    governor_.reset();
    operations_.reset();
    log_.reset();
    sink_.reset();
    rbac_admin_.reset();
    admin_.reset();
    progress_.reset();
  });
  executor_.Stop();
}

void TargetEngine::StartTask(const TaskSpec& spec, TaskProgress progress,
                             std::function<void(Error)> on_failed,
                             std::function<void(const std::string&)> on_warning) {
  ++tasks_;
  if (mode_ == TargetMode::kBlackhole) {  // it remembers nothing of an earlier life
    progress.objects.clear();
    progress.databases.clear();
  }
  executor_.RunAndWait([&] {
    Replication::Options options;
    options.target = identity_;
    options.reconciler.task = spec.id;
    options.reconciler.mode = mode_;
    options.reconciler.selection = spec.selection;
    options.reconciler.adopt = spec.adopt;
    options.reconciler.start = spec.start;
    options.reconciler.load = spec.load;
    options.reconciler.drops = spec.drops;
    options.reconciler.may_select_nothing = spec.enable_user_role && rbac_admin_;
    options.reconciler.ignore_partitions = spec.ignore_partitions;
    Replication::Ports ports;
    ports.log = log_.get();
    ports.operations = operations_.get();
    ports.catalog = source_->OpenCatalog(&executor_);
    ports.admin = admin_.get();
    ports.lanes = lanes_.get();
    ports.governor = governor_.get();
    ports.store = progress_.get();
    if (spec.enable_user_role && rbac_admin_) {
      ports.rbac_feed = source_->OpenRbac(&executor_);
      ports.rbac_admin = rbac_admin_.get();
      // Our own login must not lose what we need.
      const size_t colon = spec.target.token.find(':');
      if (colon != std::string::npos) {
        options.untouched_users.insert(spec.target.token.substr(0, colon));
      }
    }
    auto replication =
        std::make_unique<Replication>(std::move(options), std::move(progress), &executor_,
                                      std::move(ports), std::move(on_failed));
    replication->OnWarning(std::move(on_warning));
    replication->Start();
    replications_[spec.id] = std::move(replication);
  });
}

std::future<void> TargetEngine::Close() {
  closed_ = true;
  auto fenced = std::make_shared<std::promise<void>>();
  auto future = fenced->get_future();
  executor_.RunAndWait([&] {
    replications_.clear();
    lanes_->WriteExactFences([fenced] { fenced->set_value(); });
  });
  return future;
}

std::future<void> TargetEngine::StopTask(const std::string& task) {
  auto stopped = std::make_shared<std::promise<void>>();
  auto future = stopped->get_future();
  executor_.RunAndWait([&] {
    const auto it = replications_.find(task);
    if (it == replications_.end()) {
      stopped->set_value();
      return;
    }
    it->second->Stop([stopped] { stopped->set_value(); });
  });
  return future;
}

void TargetEngine::Forget(const std::string& task) {
  executor_.RunAndWait([&] {
    if (replications_.erase(task) > 0) --tasks_;
  });
}

TargetEngine::Snapshot TargetEngine::StatusOf(const std::vector<std::string>& tasks,
                                              bool with_collections) {
  Snapshot snapshot;
  executor_.RunAndWait([&] {
    for (const std::string& task : tasks) {
      const auto it = replications_.find(task);
      if (it != replications_.end()) snapshot.tasks[task] = it->second->Status(with_collections);
    }
    snapshot.calls = lanes_->calls();
    if (rows_ != nullptr) snapshot.duplicate_keys = rows_->duplicate_keys();
  });
  return snapshot;
}

}  // namespace cdc
