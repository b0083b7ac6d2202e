#include "store/threaded_store.h"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <variant>

namespace cdc {
namespace {

constexpr size_t kMaxGroup = 256;  // progress writes per call of the tables

// Where the callbacks of one writer go; closed when that one is destroyed.
struct CallbackGate {
  std::mutex mutex;
  Executor* executor = nullptr;  // null: nobody waits any more

  void Post(std::function<void()> fn) {
    std::lock_guard lock(mutex);
    if (executor != nullptr) executor->Post(std::move(fn));
  }
};

struct CommitJob {
  ProgressWrite write;
  std::shared_ptr<CallbackGate> gate;
  Callback<Status> done;
};
using TableJob = std::function<void(StoreTables&)>;
using Job = std::variant<CommitJob, TableJob>;

class ThreadedStore final : public Store {
 public:
  explicit ThreadedStore(std::unique_ptr<StoreTables> tables) : tables_(std::move(tables)) {
    thread_ = std::thread([this] { Loop(); });
    pthread_setname_np(thread_.native_handle(), "store");
  }

  ~ThreadedStore() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  Result<std::vector<StoredTask>> ListTasks() override {
    return Call([](StoreTables& tables) { return tables.ListTasks(); });
  }
  Result<StoredTask> LoadTask(const std::string& task) override {
    return Call([&](StoreTables& tables) { return tables.LoadTask(task); });
  }
  Status AddTask(const StoredTask& task) override { return AddTask(task, {}); }
  Status AddTask(const StoredTask& task, const ProgressWrite& write) override {
    if (!write.task.empty() && write.task != task.spec.id) {
      return InvalidError("the first progress of a task must be its own");
    }
    CDC_RETURN_IF_ERROR(CheckWrite(write));
    return Call([&](StoreTables& tables) { return tables.AddTask(task, write); });
  }
  Status UpdateSpec(const TaskSpec& spec) override {
    return Call([&](StoreTables& tables) { return tables.UpdateSpec(spec); });
  }
  Status UpdateState(const std::string& task, TaskState state, const std::string& reason) override {
    return Call([&](StoreTables& tables) { return tables.UpdateState(task, state, reason); });
  }
  Status DeleteTask(const std::string& task) override {
    return Call([&](StoreTables& tables) { return tables.DeleteTask(task); });
  }
  Result<TaskProgress> LoadProgress(const std::string& task) override {
    return Call([&](StoreTables& tables) { return tables.LoadProgress(task); });
  }
  Status WriteProgress(const ProgressWrite& write) override {
    return Call(
        [&](StoreTables& tables) { return std::move(tables.WriteProgress({&write}).front()); });
  }
  Result<std::map<std::string, Timestamp>> LoadLaneFences(const std::string& target) override {
    return Call([&](StoreTables& tables) { return tables.LoadLaneFences(target); });
  }
  std::unique_ptr<ProgressStore> OpenProgress(Executor& executor) override;

  void Enqueue(Job job) {
    {
      std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    wake_.notify_one();
  }

 private:
  // Runs `fn` on the store's thread, behind everything queued, and waits for its answer.
  template <typename Fn>
  auto Call(Fn fn) -> decltype(fn(std::declval<StoreTables&>())) {
    std::promise<decltype(fn(std::declval<StoreTables&>()))> answer;
    auto future = answer.get_future();
    Enqueue(TableJob([&](StoreTables& tables) { answer.set_value(fn(tables)); }));
    return future.get();
  }

  void Loop() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;  // stopping, and all that was queued is written
      std::deque<Job> batch;
      batch.swap(jobs_);
      lock.unlock();
      Work(std::move(batch));
      lock.lock();
    }
  }

  void Work(std::deque<Job> batch) {
    std::vector<CommitJob> group;
    for (Job& job : batch) {
      if (auto* commit = std::get_if<CommitJob>(&job)) {
        group.push_back(std::move(*commit));
        if (group.size() >= kMaxGroup) WriteGroup(&group);
      } else {
        WriteGroup(&group);  // calls take effect in the order in which they were made
        std::get<TableJob>(job)(*tables_);
      }
    }
    WriteGroup(&group);
  }

  void WriteGroup(std::vector<CommitJob>* group) {
    if (group->empty()) return;
    std::vector<const ProgressWrite*> writes;
    for (const CommitJob& job : *group) writes.push_back(&job.write);
    std::vector<Status> outcomes = tables_->WriteProgress(writes);
    for (size_t i = 0; i < group->size(); ++i) {
      CommitJob& job = (*group)[i];
      job.gate->Post(
          [done = std::move(job.done), outcome = std::move(outcomes[i])] { done(outcome); });
    }
    group->clear();
  }

  std::unique_ptr<StoreTables> tables_;  // used by thread_ only
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

class ThreadedProgress final : public ProgressStore {
 public:
  ThreadedProgress(ThreadedStore* store, Executor* executor)
      : store_(store), gate_(std::make_shared<CallbackGate>()) {
    gate_->executor = executor;
  }
  ~ThreadedProgress() override {
    std::lock_guard lock(gate_->mutex);
    gate_->executor = nullptr;
  }
  void Commit(ProgressWrite write, Callback<Status> done) override {
    store_->Enqueue(CommitJob{std::move(write), gate_, std::move(done)});
  }

 private:
  ThreadedStore* store_;
  std::shared_ptr<CallbackGate> gate_;
};

std::unique_ptr<ProgressStore> ThreadedStore::OpenProgress(Executor& executor) {
  return std::make_unique<ThreadedProgress>(this, &executor);
}

}  // namespace

std::unique_ptr<Store> MakeThreadedStore(std::unique_ptr<StoreTables> tables) {
  return std::make_unique<ThreadedStore>(std::move(tables));
}

}  // namespace cdc
