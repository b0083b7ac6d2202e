#include "store/sqlite_store.h"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <variant>

#include "base/format.h"
#include "store/sqlite_db.h"
#include "store/sqlite_schema.h"
#include "store/sqlite_tables.h"

namespace cdc {
namespace {

constexpr size_t kMaxGroup = 256;  // commits per transaction

// Where the callbacks of one SqliteProgress go; closed when that one is destroyed.
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
using SqlJob = std::function<void(SqliteDb&)>;
using Job = std::variant<CommitJob, SqlJob>;

class SqliteStore final : public Store {
 public:
  SqliteStore(std::unique_ptr<StoreLock> lock, std::unique_ptr<SqliteDb> db)
      : lock_(std::move(lock)), db_(std::move(db)) {
    thread_ = std::thread([this] { Loop(); });
    pthread_setname_np(thread_.native_handle(), "store");
  }

  ~SqliteStore() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  Result<std::vector<StoredTask>> ListTasks() override {
    return Call([](SqliteDb& db) { return SelectTasks(db); });
  }
  Result<StoredTask> LoadTask(const std::string& task) override {
    return Call([&](SqliteDb& db) { return SelectTask(db, task); });
  }
  Status AddTask(const StoredTask& task) override { return AddTask(task, {}); }
  Status AddTask(const StoredTask& task, const ProgressWrite& write) override {
    return Call([&](SqliteDb& db) {
      return InTransaction(db, [&]() -> Status {
        CDC_RETURN_IF_ERROR(InsertTask(db, task));
        CDC_RETURN_IF_ERROR(CheckProgressWrite(db, write));
        return ApplyProgress(db, write);
      });
    });
  }
  Status UpdateSpec(const TaskSpec& spec) override {
    return Call([&](SqliteDb& db) { return ReplaceSpec(db, spec); });
  }
  Status UpdateState(const std::string& task, TaskState state, const std::string& reason) override {
    return Call([&](SqliteDb& db) { return ReplaceState(db, task, state, reason); });
  }
  Status DeleteTask(const std::string& task) override {
    return Call([&](SqliteDb& db) { return EraseTask(db, task); });
  }
  Result<TaskProgress> LoadProgress(const std::string& task) override {
    return Call([&](SqliteDb& db) { return SelectProgress(db, task); });
  }
  Status WriteProgress(const ProgressWrite& write) override {
    return Call([&](SqliteDb& db) {
      return InTransaction(db, [&]() -> Status {
        CDC_RETURN_IF_ERROR(CheckProgressWrite(db, write));
        return ApplyProgress(db, write);
      });
    });
  }
  Result<std::map<std::string, Timestamp>> LoadLaneFences(const std::string& target) override {
    return Call([&](SqliteDb& db) { return SelectLaneFences(db, target); });
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
  auto Call(Fn fn) -> decltype(fn(std::declval<SqliteDb&>())) {
    std::promise<decltype(fn(std::declval<SqliteDb&>()))> answer;
    auto future = answer.get_future();
    Enqueue(SqlJob([&](SqliteDb& db) { answer.set_value(fn(db)); }));
    return future.get();
  }

  template <typename Fn>
  static Status InTransaction(SqliteDb& db, Fn fn) {
    CDC_RETURN_IF_ERROR(db.Exec("BEGIN IMMEDIATE"));
    Status status = fn();
    if (status.ok()) status = db.Exec("COMMIT");
    if (!status.ok()) (void)db.Exec("ROLLBACK");  // fails where SQLite has rolled back by itself
    return status;
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
        std::get<SqlJob>(job)(*db_);
      }
    }
    WriteGroup(&group);
  }

  // One transaction for the whole group. A write that is wrong by itself (its task is gone) fails
  // alone, before it touches anything. When SQLite fails, none of the group is stored and all are
  // told so: a later write must not overtake an earlier one that will be issued again.
  void WriteGroup(std::vector<CommitJob>* group) {
    if (group->empty()) return;
    std::vector<Status> outcomes(group->size());
    const Status status = InTransaction(*db_, [&]() -> Status {
      for (size_t i = 0; i < group->size(); ++i) {
        outcomes[i] = CheckProgressWrite(*db_, (*group)[i].write);
        if (!outcomes[i].ok() && outcomes[i].error().kind == ErrorKind::kOther) return outcomes[i];
        if (outcomes[i].ok()) CDC_RETURN_IF_ERROR(ApplyProgress(*db_, (*group)[i].write));
      }
      return OkStatus();
    });
    for (size_t i = 0; i < group->size(); ++i) {
      CommitJob& job = (*group)[i];
      Status outcome = status.ok() ? std::move(outcomes[i]) : status;
      job.gate->Post([done = std::move(job.done), outcome = std::move(outcome)] { done(outcome); });
    }
    group->clear();
  }

  std::unique_ptr<StoreLock> lock_;
  std::unique_ptr<SqliteDb> db_;  // used by thread_ only
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

class SqliteProgress final : public ProgressStore {
 public:
  SqliteProgress(SqliteStore* store, Executor* executor)
      : store_(store), gate_(std::make_shared<CallbackGate>()) {
    gate_->executor = executor;
  }
  ~SqliteProgress() override {
    std::lock_guard lock(gate_->mutex);
    gate_->executor = nullptr;
  }
  void Commit(ProgressWrite write, Callback<Status> done) override {
    store_->Enqueue(CommitJob{std::move(write), gate_, std::move(done)});
  }

 private:
  SqliteStore* store_;
  std::shared_ptr<CallbackGate> gate_;
};

std::unique_ptr<ProgressStore> SqliteStore::OpenProgress(Executor& executor) {
  return std::make_unique<SqliteProgress>(this, &executor);
}

}  // namespace

Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path) {
  if (path.empty()) {
    return InvalidError("the store has no file name; set metaStoreConfig.sqlite.path");
  }
  CDC_ASSIGN_OR_RETURN(std::unique_ptr<StoreLock> lock, StoreLock::Take(path));
  CDC_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDb> db, OpenStoreFile(path));
  return std::unique_ptr<Store>(new SqliteStore(std::move(lock), std::move(db)));
}

}  // namespace cdc
