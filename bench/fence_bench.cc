// One run of the pipeline from a RocksMQ to a target that throws everything away, with the real
// store. Prints what it did as JSON; bench/fence.py runs it and compares.
//
//   fence_bench --folder EMPTY --rows N --bytes PER_MESSAGE --write   the source, then
//   fence_bench --folder SAME [--without-fence]                       the run, or both at once with
//   fence_bench --folder EMPTY --rows N --rate ROWS_PER_SECOND [--without-fence]
//
// --without-fence: one fence at the start covers everything, so that nothing waits for the store
// and nothing more is written but checkpoints. --rate: the rows come in real time, one per message,
// instead of all being there. The source is written by a process of its own so that a run's
// instructions can be counted.
#include <rocksdb/db.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <future>
#include <limits>
#include <thread>

#include "base/format.h"
#include "base/thread_executor.h"
#include "base/wire.h"
#include "client/rocksmq/rocksmq_log.h"
#include "pipeline/replication.h"
#include "sink/blackhole/blackhole_sink.h"
#include "source/log_source.h"
#include "store/sqlite_store.h"

namespace cdc {
namespace {

constexpr const char* kChannel = "bench-rootcoord-dml_0";
constexpr CollectionId kCollection = 100;
constexpr int kTickMillis = 200;

struct Arguments {
  size_t rows = 200'000;
  size_t bytes = 65'536;  // per message
  size_t rate = 0;        // rows per second; 0: all at once
  bool write = false;
  bool without_fence = false;
  std::string folder;
};

// A RocksMQ with one channel, as a Milvus writes it: a tick every 200 ms of its time.
class Source {
 public:
  Source(const Arguments& arguments, const std::string& path)
      : arguments_(arguments),
        // A backlog is older than what counts as keeping up.
        begin_ms_(SystemClock().WallMillis() - (arguments.rate == 0 ? 600'000 : 0)),
        rate_(arguments.rate != 0 ? arguments.rate : RateOf(arguments.bytes)),
        per_message_(arguments.rate != 0 ? 1 : std::max<size_t>(1, arguments.bytes / kRowBytes)) {
    rocksdb::Options options;
    options.create_if_missing = true;
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, path, &db);
    if (!status.ok()) {
      std::fprintf(stderr, "%s\n", status.ToString().c_str());
      std::exit(1);
    }
    db_.reset(db);
    Put(Tick());  // there is a log to read
  }

  Timestamp begin() const { return ComposeTimestamp(begin_ms_); }

  // Writes all rows; in real time when there is a rate. Returns the time of the last tick.
  Timestamp Write() {
    for (size_t rows = 0; rows < arguments_.rows; rows += per_message_) {
      ms_ = static_cast<int64_t>(messages_ * 1000 / rate_);
      while (arguments_.rate != 0 && begin_ms_ + ms_ > SystemClock().WallMillis()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      if (ms_ >= next_tick_ms_) Put(Tick());
      Put(Insert());
    }
    ++ms_;
    Put(Tick());
    (void)db_->Flush({});
    return ComposeTimestamp(begin_ms_ + ms_);
  }

 private:
  static constexpr size_t kDimension = 128;
  static constexpr size_t kRowBytes = kDimension * sizeof(float) + 16;

  // Messages in a second of a backlog: a source is loaded with up to 100 MB/s.
  static size_t RateOf(size_t bytes) { return std::min<size_t>(20'000, 100'000'000 / bytes); }

  static std::string Nested(uint32_t field, const std::string& content) {
    WireWriter out;
    out.Bytes(field, content);
    return out.Take();
  }
  static std::string Column(uint64_t type, const std::string& name, uint64_t id,
                            const std::string& values) {
    WireWriter out;
    out.Varint(1, type);
    out.Bytes(2, name);
    out.Raw(values);
    out.Varint(5, id);
    return out.Take();
  }
  std::string Base(uint64_t type, Timestamp ts) const {
    WireWriter out;
    out.Varint(1, type);
    out.Varint(2, messages_ + 1);
    out.Varint(3, ts);
    return Nested(1, out.Take());
  }
  std::string Tick() {
    next_tick_ms_ = ms_ + kTickMillis;
    return Base(1200, ComposeTimestamp(begin_ms_ + ms_));
  }
  std::string Insert() {
    const Timestamp ts = ComposeTimestamp(begin_ms_ + ms_, messages_ % 1000 + 1);
    WireWriter keys;
    for (size_t i = 0; i < per_message_; ++i) keys.RawVarint(messages_ * per_message_ + i);
    const std::string floats(per_message_ * kDimension * sizeof(float), '?');
    WireWriter vector;
    vector.Varint(1, kDimension);
    vector.Bytes(2, Nested(1, floats));
    WireWriter out;
    out.Raw(Base(400, ts));
    out.Bytes(2, std::string(kChannel) + "_100v0");
    out.Bytes(4, "rows");
    out.Varint(7, kCollection);
    out.Varint(8, 1);
    out.PackedRepeat(10, ts, per_message_);
    out.Bytes(11, keys.str());
    out.Bytes(13, Column(5, "id", 100, Nested(3, Nested(3, Nested(1, keys.str())))));
    out.Bytes(13, Column(101, "vector", 101, Nested(4, vector.Take())));
    out.Varint(14, per_message_);
    out.Varint(15, 1);
    ++messages_;
    return out.Take();
  }
  void Put(const std::string& payload) {
    constexpr uint64_t kFirstId = 470'000'000'000'000'000;
    (void)db_->Put({}, Format("{}/{}", kChannel, kFirstId + ++puts_), payload);
  }

  const Arguments arguments_;
  const int64_t begin_ms_;
  const size_t rate_;
  const size_t per_message_;
  std::unique_ptr<rocksdb::DB> db_;
  uint64_t puts_ = 0;
  size_t messages_ = 0;
  int64_t ms_ = 0;
  int64_t next_tick_ms_ = 0;
};

// One collection that is there from the beginning.
class OneCollection final : public CatalogFeed {
 public:
  OneCollection(Executor* executor, Timestamp created) : executor_(executor), created_(created) {}

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
    collection->vchannels = {std::string(kChannel) + "_100v0"};
    collection->pchannels = {kChannel};
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

struct Measured {
  double seconds = 0;
  size_t commits = 0;
  uint64_t rows = 0;
};

void WriteSource(const Arguments& arguments) {
  Source source(arguments, arguments.folder + "/rocksmq");
  const Timestamp end = source.Write();
  std::ofstream(arguments.folder + "/times") << source.begin() << " " << end << "\n";
}

Result<Measured> Run(const Arguments& arguments) {
  CDC_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                       OpenSqliteStore(arguments.folder + "/store.db"));
  const std::string rocksmq = arguments.folder + "/rocksmq";
  std::unique_ptr<Source> live;
  Timestamp begin = 0;
  std::atomic<Timestamp> end = 0;
  if (arguments.rate != 0) {
    live = std::make_unique<Source>(arguments, rocksmq);
    begin = live->begin();
  } else {
    Timestamp last = 0;
    std::ifstream(arguments.folder + "/times") >> begin >> last;
    end = last;
  }
  ThreadExecutor executor("bench");
  const std::unique_ptr<LogSource> log = MakeLogSource(OpenRocksmqLog(rocksmq), &executor);
  StoredTask task;
  task.spec.id = "bench";
  task.spec.mode = TargetMode::kBlackhole;
  ProgressWrite first;
  first.task = task.spec.id;
  first.channels = {{kChannel, LogPosition{}, begin - 1, begin - 1}};
  CDC_RETURN_IF_ERROR(store->AddTask(task, first));
  CDC_ASSIGN_OR_RETURN(TaskProgress progress, store->LoadProgress(task.spec.id));

  const std::unique_ptr<ProgressStore> writer = store->OpenProgress(executor);
  CountedStore counted(writer.get());
  BlackholeTarget target(&executor);
  LaneSet lanes("bench", {}, {}, &executor, &target, &counted);
  ReadGovernor governor(&executor, {32 << 20, 1 << 20});
  Replication::Options options;
  options.target = "bench";
  options.reconciler.task = task.spec.id;
  options.reconciler.mode = TargetMode::kBlackhole;
  options.reconciler.selection.includes = {{"*", "*"}};
  if (arguments.without_fence) {
    options.channel.fence_ahead = ComposeTimestamp(int64_t{1} << 40);
    options.channel.behind = std::chrono::hours(24 * 365);
    options.channel.window_bytes = std::numeric_limits<size_t>::max() / 4;
  }
  Replication::Ports ports;
  ports.log = log.get();
  ports.catalog = std::make_unique<OneCollection>(&executor, begin - 1);
  ports.admin = &target;
  ports.lanes = &lanes;
  ports.governor = &governor;
  ports.store = &counted;

  std::promise<void> done;
  std::unique_ptr<Replication> replication;
  std::function<void()> look = [&] {
    if (end != 0 && replication->Status().safe_ts >= end) {
      done.set_value();
      return;
    }
    executor.PostAfter(std::chrono::milliseconds(1), look);
  };
  const TimePoint began = executor.clock().Now();
  executor.RunAndWait([&] {
    replication =
        std::make_unique<Replication>(std::move(options), std::move(progress), &executor,
                                      std::move(ports), [](const Error& error) {
                                        std::fprintf(stderr, "%s\n", error.message.c_str());
                                        std::exit(1);
                                      });
    replication->Start();
    look();
  });
  if (live != nullptr) end = live->Write();
  done.get_future().wait();
  Measured measured;
  measured.seconds = std::chrono::duration<double>(executor.clock().Now() - began).count();
  executor.RunAndWait([&] {
    measured.commits = counted.commits();
    measured.rows = target.rows();
    replication.reset();
  });
  return measured;
}

}  // namespace
}  // namespace cdc

int main(int count, char** values) {
  cdc::Arguments arguments;
  CLI::App app("the price of the fence");
  app.add_option("--rows", arguments.rows);
  app.add_option("--bytes", arguments.bytes);
  app.add_option("--rate", arguments.rate);
  app.add_option("--folder", arguments.folder)->required();
  app.add_flag("--write", arguments.write);
  app.add_flag("--without-fence", arguments.without_fence);
  CLI11_PARSE(app, count, values);
  if (arguments.write) {
    cdc::WriteSource(arguments);
    return 0;
  }
  const cdc::Result<cdc::Measured> measured = cdc::Run(arguments);
  if (!measured.ok()) {
    std::fprintf(stderr, "%s\n", measured.error().message.c_str());
    return 1;
  }
  std::printf("{\"seconds\": %.6f, \"commits\": %zu, \"rows\": %llu}\n", measured->seconds,
              measured->commits, static_cast<unsigned long long>(measured->rows));
  return 0;
}
