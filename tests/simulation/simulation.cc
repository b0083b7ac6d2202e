#include "simulation.h"

#include <algorithm>
#include <utility>

namespace cdc::sim {
namespace {

constexpr Duration kTrouble = std::chrono::milliseconds(100);

WorkloadOptions WithNames(WorkloadOptions options) {
  options.database_names = {"a0", "b0"};
  return options;
}

}  // namespace

Simulation::Simulation(const Plan& plan)
    : plan_(plan),
      random_(plan.seed),
      report_(&executor_, plan.trace),
      points_(Random(plan.seed ^ 0xFA17ull), plan.point_crash, plan.rare_points, 12),
      source_(plan.source, &executor_, random_.Fork(), &report_),
      store_(&executor_, random_.Fork(), &plan_.store_faults, &points_, &report_),
      target_(
          plan.target, &executor_, random_.Fork(), &plan_.target_faults, &source_, &store_,
          [this](CollectionId id) { return TaskOf(id)->id; }, &points_, &report_),
      log_(&source_, &executor_, random_.Fork(), &plan_.source_faults),
      workload_(WithNames(plan.workload), &source_, &executor_, random_.Fork()) {
  source_.SetMayForget([this](CollectionId id, PartitionId partition) {
    // Known for longer than a creation takes that was begun before.
    const SimCatalogFeed* feed = TaskOf(id)->feed;
    if (feed == nullptr || !feed->IsUpToDate()) return false;
    const TimePoint known = drop_known_.try_emplace({id, partition}, executor_.Now()).first->second;
    if (executor_.Now() - known < std::chrono::seconds(2)) return false;
    const auto& records = store_.Load(TaskOf(id)->id).objects;
    const auto record = records.find(id);
    if (record == records.end()) return true;
    const auto made = record->second.partitions.find(partition);
    return made == record->second.partitions.end() || made->second != 0;
  });
  tasks_.resize(static_cast<size_t>(plan.tasks));
  for (int i = 0; i < plan.tasks; ++i) tasks_[i].id = Format("task{}", i);
  Selection& first = tasks_[0].selection;
  first.includes = {{"default", "*"}, {"a*", "*"}};
  first.excludes = {{"*", "skip"}};
  if (plan.tasks == 1) first.includes.push_back({"b*", "*"});
  if (plan.map_names) first.mappings = {{"a0", "mapped", {}}};
  if (plan.tasks > 1) {
    tasks_[1].selection.includes = {{"b*", "*"}};
    tasks_[1].selection.excludes = {{"*", "skip"}};
  }
}

Simulation::~Simulation() {
  for (Task& task : tasks_) task.running.reset();
  lanes_.reset();
  governor_.reset();
}

const Simulation::Task* Simulation::TaskOf(CollectionId id) const {
  const std::string database = source_.DatabaseName(source_.Get(id).meta.db_id);
  const bool second = tasks_.size() > 1 && database == "b0";
  return second ? &tasks_[1] : &tasks_[0];
}

// ---- our process
// ----------------------------------------------------------------------------------

void Simulation::StartLife() {
  ++life_;
  up_ = true;
  stopping_ = false;
  report_.Trace("---- life {}", life_);
  LaneSet::Options options;
  options.lane.merge = plan_.replicate;
  options.lane.max_batch_bytes = 2000;
  lanes_ =
      std::make_unique<LaneSet>("target", options, store_.lanes(), &executor_, &target_, &store_);
  governor_ = std::make_unique<ReadGovernor>(
      &executor_, ReadGovernor::Options{plan_.memory_limit, plan_.memory_reserve});
  for (Task& task : tasks_) {
    task.stopping = false;
    if (!task.paused && task.failed.empty()) StartTask(&task);
  }
}

void Simulation::StartTask(Task* task) {
  Replication::Options options;
  options.target = "target";
  options.reconciler.task = task->id;
  options.reconciler.mode = plan_.replicate ? TargetMode::kReplicate : TargetMode::kApi;
  options.reconciler.selection = task->selection;
  options.reconciler.start = task->start;
  options.reconciler.settle = plan_.target.settle + std::chrono::milliseconds(1);
  options.channel.read_bytes = plan_.read_bytes;
  options.channel.window_bytes = plan_.window_bytes;
  options.channel.fence_ahead = ComposeTimestamp(plan_.fence_ahead_ms);
  options.channel.behind = std::chrono::milliseconds(plan_.fence_ahead_ms * 5 / 2);
  Replication::Ports ports;
  ports.log = &log_;
  auto feed =
      std::make_unique<SimCatalogFeed>(&source_, &executor_, random_.Fork(), &plan_.source_faults);
  task->feed = feed.get();
  ports.catalog = std::move(feed);
  ports.admin = &target_;
  ports.lanes = lanes_.get();
  ports.governor = governor_.get();
  ports.store = &store_;
  task->running =
      std::make_unique<Replication>(options, store_.Load(task->id), &executor_, std::move(ports),
                                    [this, task](const Error& error) { OnFailed(task, error); });
  task->running->Start();
}

void Simulation::EndLife() {
  for (Task& task : tasks_) {
    task.running.reset();
    task.feed = nullptr;
  }
  lanes_.reset();
  governor_.reset();
  up_ = false;
  const Duration pause = random_.Chance(0.3) ? random_.Millis(3000, 6000) : random_.Millis(1, 800);
  executor_.PostAfter(pause, [this] { StartLife(); });
}

void Simulation::Crash() {
  report_.Trace("---- crash");
  EndLife();  // what its last breath sends is in flight like the rest
  store_.Crash();
  target_.Crash();
}

// At a fault point, also in the middle of a clean stop.
void Simulation::CrashAtPoint() {
  if (!points_.due() || !up_) return;
  report_.Trace("---- at {}", points_.name());
  Crash();
  points_.Crashed();
}

void Simulation::StopTask(Task* task, std::function<void()> done) {
  task->stopping = true;
  task->running->Stop([this, task, life = life_, done = std::move(done)] {
    executor_.Post([this, task, life, done] {
      if (life != life_ || !up_ || !task->running) return;
      task->running.reset();
      task->feed = nullptr;
      task->stopping = false;
      done();
    });
  });
}

void Simulation::StopAll() {
  report_.Trace("---- stop");
  stopping_ = true;
  auto left = std::make_shared<size_t>(1);
  const auto one_less = [this, left, life = life_] {
    if (--*left > 0) return;
    lanes_->WriteExactFences([this, life] {
      executor_.Post([this, life] {
        if (life != life_ || !up_) return;
        report_.Trace("---- stopped");
        store_.Crash();  // nothing is under way but ticks' fences
        target_.Crash();
        EndLife();
      });
    });
  };
  for (Task& task : tasks_) {
    if (!task.running || task.stopping) continue;
    ++*left;
    StopTask(&task, one_less);
  }
  one_less();
}

void Simulation::PauseTask(Task* task) {
  report_.Trace("---- pause {}", task->id);
  task->paused = true;
  StopTask(task, [] {});
  executor_.PostAfter(random_.Millis(1, 4000), [this, task] {
    task->paused = false;
    if (up_ && !stopping_ && !task->running && task->failed.empty()) {
      report_.Trace("---- resume {}", task->id);
      StartTask(task);
    } else if (task->running) {
      task->paused = true;  // still stopping: once more, later
      executor_.PostAfter(std::chrono::seconds(4), [this, task] {
        task->paused = false;
        if (up_ && !stopping_ && !task->running && task->failed.empty()) StartTask(task);
      });
    }
  });
}

void Simulation::Trouble() {
  if (healed_) return;
  executor_.PostAfter(kTrouble, [this] { Trouble(); });
  const auto now_and_then = [&](double per_second) { return random_.Chance(per_second / 10); };
  if (now_and_then(plan_.outage) && !plan_.target_faults.down) {
    plan_.target_faults.down = true;
    report_.Trace("---- target down");
    executor_.PostAfter(random_.Millis(100, 4000), [this] { plan_.target_faults.down = false; });
  }
  if (now_and_then(plan_.etcd_outage) && !plan_.source_faults.etcd_down) {
    plan_.source_faults.etcd_down = true;
    executor_.PostAfter(random_.Millis(100, 3000),
                        [this] { plan_.source_faults.etcd_down = false; });
  }
  if (!up_) return;
  if (now_and_then(plan_.crash)) {
    executor_.PostAfter(random_.Millis(0, 100), [this, life = life_] {
      if (up_ && life == life_) Crash();
    });
    return;
  }
  if (stopping_) return;
  if (now_and_then(plan_.restart)) {
    StopAll();
    return;
  }
  if (now_and_then(plan_.pause)) {
    Task& task = tasks_[random_.Below(tasks_.size())];
    if (task.running && !task.stopping) PauseTask(&task);
  }
}

void Simulation::Heal() {
  report_.Trace("---- heal");
  healed_ = true;
  points_.Heal();
  workload_.Stop();
  source_.StopTombstones();
  SourceFaults lasting;
  lasting.etcd_wiped = plan_.source_faults.etcd_wiped;
  lasting.lost_key = plan_.source_faults.lost_key;
  plan_.source_faults = lasting;
  plan_.store_faults = {};
  plan_.target_faults = {};
}

bool Simulation::RunFor(Duration time) {
  const TimePoint end = executor_.Now() + time;
  bool reached = false;
  executor_.PostAfter(time, [&reached] { reached = true; });
  while (!reached && !report_.failed() && executor_.Now() <= end) {
    executor_.RunOne();
    CrashAtPoint();
  }
  if (executor_.events() > 20'000'000) report_.Violation("too many events: a busy loop?");
  while (!reached && report_.failed() && executor_.RunOne()) {
  }
  return !report_.failed();
}

std::map<std::string, TaskProgress> Simulation::FirstProgress() const {
  std::map<std::string, TaskProgress> out;
  for (const Task& task : tasks_) {
    TaskProgress& progress = out[task.id];
    for (int i = 0; i < plan_.source.pchannels; ++i) {
      ChannelCheckpoint checkpoint;
      checkpoint.channel = SimSource::PchannelName(i);
      const size_t end = source_.LogOf(i).size();
      if (end == 0) continue;
      checkpoint.seek = {LogPosition::Kind::kAfter, {0, end}};
      for (const auto& [id, points] : task.start.collections) {
        const auto point = points.find(checkpoint.channel);
        if (point == points.end()) continue;
        checkpoint.seek = Earlier(checkpoint.seek, point->second.from);
      }
      progress.channels[checkpoint.channel] = checkpoint;
    }
  }
  return out;
}

Outcome Simulation::Run() {
  workload_.Prepare();
  target_.AddStranger({kDefaultDatabase, "somebody_elses"});
  (void)RunFor(std::chrono::milliseconds(300));
  if (plan_.starts) {
    WritePast();
    ChooseStarts();
  }
  for (auto& [id, progress] : FirstProgress()) store_.Create(id, std::move(progress));
  StartLife();
  workload_.Start();
  StartWorkload();
  Trouble();
  Probe();
  if (plan_.clock_set_ms != 0) {
    executor_.PostAfter(plan_.clock_set_after, [this] {
      report_.Trace("---- clock set by {} ms", plan_.clock_set_ms);
      executor_.SetWallClock(plan_.clock_set_ms);
    });
  }
  if (plan_.calamity != Calamity::kNone) {
    executor_.PostAfter(plan_.calamity_after, [this] { Strike(); });
  }
  (void)RunFor(plan_.length);
  Heal();
  std::string difference = "never compared";
  for (int second = 0; second < 90 && !report_.failed() && !difference.empty(); ++second) {
    (void)RunFor(std::chrono::seconds(1));
    difference = plan_.calamity == Calamity::kNone ? Difference() : CheckCalamity();
  }
  if (!report_.failed() && difference.empty()) {  // and it stays so
    (void)RunFor(std::chrono::seconds(8));
    difference = plan_.calamity == Calamity::kNone ? Difference() : CheckCalamity();
  }
  if (!report_.failed() && !difference.empty()) {
    report_.Violation("not equal in the end: {}\n{}", difference, Dump());
  }
  Outcome outcome;
  outcome.failure = report_.failure();
  outcome.events = executor_.events();
  outcome.rows = source_.messages().size();
  outcome.lives = life_;
  outcome.replayed = target_.replayed();
  outcome.late = target_.late();
  outcome.calls = target_.calls();
  outcome.points = points_.counts();
  return outcome;
}

}  // namespace cdc::sim
