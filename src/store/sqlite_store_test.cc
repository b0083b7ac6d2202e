// Contract of Store, on SqliteStore. The cases above kSqliteOnly hold for every implementation.
#include "store/sqlite_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "base/thread_executor.h"
#include "store/sqlite_db.h"

namespace cdc {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Timestamp kHuge = 0xfedcba9876543210ull;  // > 2^63

class SqliteStoreTest : public testing::Test {
 protected:
  SqliteStoreTest() {
    std::string name = "/tmp/cdc_store_test.XXXXXX";
    folder_ = mkdtemp(name.data());
    path_ = folder_ + "/cdc.db";
  }
  ~SqliteStoreTest() override {
    progress_.reset();
    store_.reset();
    fs::remove_all(folder_);
  }

  void Open() {
    Result<std::unique_ptr<Store>> store = OpenSqliteStore(path_);
    ASSERT_TRUE(store.ok()) << store.error().message;
    store_ = *std::move(store);
    progress_ = store_->OpenProgress(executor_);
  }
  void Reopen() {
    progress_.reset();
    store_.reset();
    Open();
  }
  Error OpenError(const std::string& path) {
    Result<std::unique_ptr<Store>> store = OpenSqliteStore(path);
    return store.ok() ? Error{} : store.error();
  }

  // Commits and waits for the outcome.
  Status Commit(ProgressWrite write) {
    std::promise<Status> outcome;
    auto future = outcome.get_future();
    progress_->Commit(std::move(write), [&](Status s) { outcome.set_value(std::move(s)); });
    return future.get();
  }

  static StoredTask Task(const std::string& id) {
    StoredTask task;
    task.spec.id = id;
    task.spec.mode = TargetMode::kReplicate;
    task.spec.selection.includes = {{"default", "*"}};
    return task;
  }
  static ProgressWrite Channel(const std::string& task, const std::string& channel, uint64_t n) {
    ProgressWrite write;
    write.task = task;
    write.channels = {{channel, {LogPosition::Kind::kAfter, {0, n}}, n, n}};
    return write;
  }
  uint64_t FilterOf(const std::string& task, const std::string& channel) {
    Result<TaskProgress> progress = store_->LoadProgress(task);
    return progress.ok() ? progress->channels[channel].filter : 0;
  }

  std::string folder_;
  std::string path_;
  ThreadExecutor executor_{"test"};
  std::unique_ptr<Store> store_;
  std::unique_ptr<ProgressStore> progress_;
};

TEST_F(SqliteStoreTest, TaskComesBackWhole) {
  Open();
  StoredTask task = Task("t1");
  task.state = TaskState::kPaused;
  task.reason = "paused by \"hand\"\n";
  TaskSpec& spec = task.spec;
  spec.mode_reason = "the target is a standby";
  spec.target = {"::1", 19531, true, "/ca.pem", "/client.pem", "/key.pem", "server", "u:p\"w\\", 7};
  spec.selection = {{{"default", "a*"}, {"d\xC3\xBC", "*"}},
                    {{"*", "tmp_*"}},
                    {{"default", "copy", {{"a1", "b1"}}}, {"d", "e", {}}}};
  spec.adopt = true;
  spec.load = LoadPolicy::kNever;
  spec.drops = DropPolicy::kHold;
  spec.disable_auto_start = true;
  spec.request_json = R"({"milvus_connect_param":{"uri":"http://x:1"}})";
  ASSERT_TRUE(store_->AddTask(task).ok());
  Reopen();

  Result<StoredTask> loaded = store_->LoadTask("t1");
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(loaded->state, task.state);
  EXPECT_EQ(loaded->reason, task.reason);
  EXPECT_EQ(loaded->spec.id, "t1");
  EXPECT_EQ(loaded->spec.mode, spec.mode);
  EXPECT_EQ(loaded->spec.mode_reason, spec.mode_reason);
  EXPECT_EQ(loaded->spec.target, spec.target);
  EXPECT_EQ(loaded->spec.selection, spec.selection);
  EXPECT_EQ(loaded->spec.adopt, spec.adopt);
  EXPECT_EQ(loaded->spec.load, spec.load);
  EXPECT_EQ(loaded->spec.drops, spec.drops);
  EXPECT_EQ(loaded->spec.disable_auto_start, spec.disable_auto_start);
  EXPECT_EQ(loaded->spec.request_json, spec.request_json);
}

TEST_F(SqliteStoreTest, TasksAreListedInOrderOfCreation) {
  Open();
  for (const char* id : {"z", "a", "m"}) ASSERT_TRUE(store_->AddTask(Task(id)).ok());
  ASSERT_TRUE(store_->DeleteTask("a").ok());
  ASSERT_TRUE(store_->AddTask(Task("a")).ok());
  ASSERT_TRUE(store_->UpdateState("z", TaskState::kRunning, "").ok());
  Result<std::vector<StoredTask>> tasks = store_->ListTasks();
  ASSERT_TRUE(tasks.ok());
  std::vector<std::string> ids;
  for (const StoredTask& task : *tasks) ids.push_back(task.spec.id);
  EXPECT_THAT(ids, ElementsAre("z", "m", "a"));
}

TEST_F(SqliteStoreTest, TaskIdIsTakenOnce) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  const Status again = store_->AddTask(Task("t"));
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::kAlreadyExists);
}

TEST_F(SqliteStoreTest, MissingTaskIsNotFound) {
  Open();
  EXPECT_EQ(store_->LoadTask("x").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(store_->LoadProgress("x").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(store_->DeleteTask("x").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(store_->UpdateState("x", TaskState::kPaused, "").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(store_->UpdateSpec(Task("x").spec).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(Commit(Channel("x", "c", 1)).error().kind, ErrorKind::kNotFound);
}

TEST_F(SqliteStoreTest, SpecAndStateChangeApart) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  ASSERT_TRUE(Commit(Channel("t", "c", 5)).ok());
  ASSERT_TRUE(store_->UpdateState("t", TaskState::kPaused, "by hand").ok());
  TaskSpec spec = Task("t").spec;
  spec.mode = TargetMode::kApi;
  spec.target.token = "new";
  ASSERT_TRUE(store_->UpdateSpec(spec).ok());
  Reopen();
  Result<StoredTask> task = store_->LoadTask("t");
  ASSERT_TRUE(task.ok());
  EXPECT_EQ(task->state, TaskState::kPaused);
  EXPECT_EQ(task->reason, "by hand");
  EXPECT_EQ(task->spec.mode, TargetMode::kApi);
  EXPECT_EQ(task->spec.target.token, "new");
  EXPECT_EQ(FilterOf("t", "c"), 5u);
}

TEST_F(SqliteStoreTest, ProgressComesBackWhole) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  ProgressWrite write;
  write.task = "t";
  write.channels = {{"c1", {LogPosition::Kind::kAt, {7, kHuge}}, kHuge, kHuge + 1},
                    {"c2", {LogPosition::Kind::kEarliest, {}}, 0, 0}};
  write.operations = LogPosition{LogPosition::Kind::kAfter, {0, 42}};
  write.objects = {{449, {"default", "a"}, -3, kHuge, {"dml_0", "dml_1"}, {{7, -8}, {9, 10}}},
                   {450, {"d", "b"}, 0, 0, {}}};
  write.objects[0].moving_to = {"default", "b"};
  write.objects[0].partitions = {{1, -2}, {449000000000000001, 449000000000000002}};
  write.databases = {{1, "default", "default", false}, {9, "d", "e", true}};
  write.source = SourceIdentity{kHuge, 77};
  ASSERT_TRUE(Commit(write).ok());
  Reopen();

  Result<TaskProgress> progress = store_->LoadProgress("t");
  ASSERT_TRUE(progress.ok()) << progress.error().message;
  EXPECT_EQ(progress->channels.size(), 2u);
  EXPECT_EQ(progress->channels["c1"], write.channels[0]);
  EXPECT_EQ(progress->channels["c2"], write.channels[1]);
  EXPECT_EQ(progress->operations, write.operations);
  EXPECT_EQ(progress->objects.size(), 2u);
  EXPECT_EQ(progress->objects[449], write.objects[0]);
  EXPECT_EQ(progress->objects[450], write.objects[1]);
  EXPECT_EQ(progress->databases.size(), 2u);
  EXPECT_EQ(progress->databases[1], write.databases[0]);
  EXPECT_EQ(progress->databases[9], write.databases[1]);
  ASSERT_TRUE(progress->source.has_value());
  EXPECT_EQ(progress->source->cluster_id, kHuge);
  EXPECT_EQ(progress->source->revision, 77);
}

TEST_F(SqliteStoreTest, OnlyWhatIsNamedChanges) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  ASSERT_TRUE(store_->AddTask(Task("other")).ok());
  ProgressWrite write = Channel("t", "c1", 1);
  write.channels.push_back({"c2", {}, 2, 2});
  write.objects = {{1, {"d", "a"}, 11, 0, {}}, {2, {"d", "b"}, 12, 0, {}}};
  write.databases = {{5, "x", "x", true}, {6, "y", "y", true}};
  ASSERT_TRUE(Commit(write).ok());
  ASSERT_TRUE(Commit(Channel("other", "c1", 100)).ok());

  ProgressWrite next = Channel("t", "c1", 3);
  next.forgotten_objects = {1};
  next.forgotten_databases = {6};
  ASSERT_TRUE(Commit(next).ok());
  Result<TaskProgress> progress = store_->LoadProgress("t");
  ASSERT_TRUE(progress.ok());
  EXPECT_EQ(progress->channels["c1"].filter, 3u);
  EXPECT_EQ(progress->channels["c2"].filter, 2u);
  EXPECT_EQ(progress->objects.count(1), 0u);
  EXPECT_EQ(progress->objects.count(2), 1u);
  EXPECT_EQ(progress->databases.count(5), 1u);
  EXPECT_EQ(progress->databases.count(6), 0u);
  EXPECT_FALSE(progress->operations.has_value());
  EXPECT_EQ(FilterOf("other", "c1"), 100u);
}

TEST_F(SqliteStoreTest, ForgettingAndNamingOneIdKeepsTheNewRecord) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  ProgressWrite write;
  write.task = "t";
  write.forgotten_objects = {1};
  write.objects = {{1, {"d", "new"}, 11, 0, {}}};
  ASSERT_TRUE(Commit(write).ok());
  EXPECT_EQ(store_->LoadProgress("t")->objects[1].name.collection, "new");
}

TEST_F(SqliteStoreTest, DeleteRemovesProgressButNotTheClockOfTheTarget) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  ProgressWrite write = Channel("t", "c", 1);
  write.operations = LogPosition{};
  write.objects = {{1, {"d", "a"}, 11, 0, {}}};
  write.databases = {{5, "x", "x", true}};
  write.source = SourceIdentity{1, 2};
  write.target = "target-1";
  write.lanes = {{"lane", kHuge}};
  ASSERT_TRUE(Commit(write).ok());
  ASSERT_TRUE(store_->DeleteTask("t").ok());
  EXPECT_EQ(store_->LoadProgress("t").error().kind, ErrorKind::kNotFound);

  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  Result<TaskProgress> progress = store_->LoadProgress("t");
  ASSERT_TRUE(progress.ok());
  EXPECT_THAT(progress->channels, IsEmpty());
  EXPECT_THAT(progress->objects, IsEmpty());
  EXPECT_THAT(progress->databases, IsEmpty());
  EXPECT_FALSE(progress->operations.has_value());
  EXPECT_FALSE(progress->source.has_value());
  EXPECT_EQ(store_->LoadLaneFences("target-1")->at("lane"), kHuge);
}

TEST_F(SqliteStoreTest, LanesBelongToTheirTarget) {
  Open();
  ProgressWrite write;
  write.target = "a";
  write.lanes = {{"l1", 10}, {"l2", 20}};
  ASSERT_TRUE(Commit(write).ok());
  write.target = "b";
  write.lanes = {{"l1", 30}};
  ASSERT_TRUE(Commit(write).ok());
  EXPECT_EQ(*store_->LoadLaneFences("a"),
            (std::map<std::string, Timestamp>{{"l1", 10}, {"l2", 20}}));
  EXPECT_EQ(*store_->LoadLaneFences("b"), (std::map<std::string, Timestamp>{{"l1", 30}}));
  EXPECT_THAT(*store_->LoadLaneFences("c"), IsEmpty());
}

TEST_F(SqliteStoreTest, WritesWithoutTaskOrTargetAreRefused) {
  Open();
  EXPECT_EQ(Commit(Channel("", "c", 1)).error().kind, ErrorKind::kInvalid);
  ProgressWrite write;
  write.lanes = {{"l", 1}};
  EXPECT_EQ(Commit(write).error().kind, ErrorKind::kInvalid);
}

TEST_F(SqliteStoreTest, TaskIsAddedWithItsFirstProgressOrNotAtAll) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t"), Channel("t", "c", 9)).ok());
  EXPECT_EQ(FilterOf("t", "c"), 9u);
  ProgressWrite wrong = Channel("nobody", "c", 1);
  EXPECT_FALSE(store_->AddTask(Task("u"), wrong).ok());
  EXPECT_EQ(store_->LoadTask("u").error().kind, ErrorKind::kNotFound);
}

TEST_F(SqliteStoreTest, CommitsAreWrittenAndAnsweredInOrder) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  constexpr uint64_t kWrites = 2000;
  std::vector<uint64_t> answered;
  std::promise<void> all;
  auto future = all.get_future();
  for (uint64_t n = 1; n <= kWrites; ++n) {
    // Every third write fails by itself and must not hold up or spoil its neighbours.
    progress_->Commit(Channel(n % 3 == 0 ? "gone" : "t", "c", n), [&, n](Status s) {
      EXPECT_EQ(s.ok(), n % 3 != 0);
      answered.push_back(n);
      if (n == kWrites) all.set_value();
    });
  }
  future.wait();
  EXPECT_TRUE(std::is_sorted(answered.begin(), answered.end()));
  EXPECT_EQ(answered.size(), kWrites);
  EXPECT_EQ(FilterOf("t", "c"), kWrites);
}

TEST_F(SqliteStoreTest, CallsSeeEveryCommitIssuedBefore) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  for (uint64_t n = 1; n <= 50; ++n) {
    progress_->Commit(Channel("t", "c", n), [](Status) {});
    ASSERT_EQ(FilterOf("t", "c"), n);
  }
  progress_->Commit(Channel("t", "c", 51), [](Status) {});
  ASSERT_TRUE(store_->DeleteTask("t").ok());
  EXPECT_EQ(Commit(Channel("t", "c", 52)).error().kind, ErrorKind::kNotFound);
}

TEST_F(SqliteStoreTest, QueuedWritesSurviveTheEndOfWriterAndStore) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  for (uint64_t n = 1; n <= 500; ++n) progress_->Commit(Channel("t", "c", n), [](Status) {});
  Reopen();
  EXPECT_EQ(FilterOf("t", "c"), 500u);
}

TEST_F(SqliteStoreTest, NoCallbackAfterItsWriterIsGone) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  auto executor = std::make_unique<ThreadExecutor>("short");
  std::unique_ptr<ProgressStore> writer = store_->OpenProgress(*executor);
  for (uint64_t n = 1; n <= 500; ++n) writer->Commit(Channel("t", "c", n), [](Status) {});
  writer.reset();
  executor.reset();  // a late callback would use it after its end (asan sees that)
  EXPECT_EQ(FilterOf("t", "c"), 500u);
}

// ---- kSqliteOnly --------------------------------------------------------------------------

TEST_F(SqliteStoreTest, FilesAreForTheOwnerOnly) {
  Open();
  StoredTask task = Task("t");
  task.spec.target.token = "root:sesame";
  ASSERT_TRUE(store_->AddTask(task).ok());
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    ++files;
    struct stat info = {};
    ASSERT_EQ(stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u) << entry.path();
  }
  EXPECT_GE(files, 3u);  // database, WAL, lock
}

TEST_F(SqliteStoreTest, AWiderModeIsNarrowed) {
  Open();
  progress_.reset();
  store_.reset();
  ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
  Open();
  struct stat info = {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(SqliteStoreTest, TheTokenIsNotInTheSpecColumn) {
  Open();
  StoredTask task = Task("t");
  task.spec.target.token = "root:sesame";
  ASSERT_TRUE(store_->AddTask(task).ok());
  progress_.reset();
  store_.reset();
  Result<std::unique_ptr<SqliteDb>> db = SqliteDb::Open(path_);
  ASSERT_TRUE(db.ok());
  SqliteStatement select(**db, "SELECT spec FROM tasks");
  ASSERT_TRUE(*select.Step());
  EXPECT_EQ(select.Text(0).find("sesame"), std::string::npos);
}

TEST_F(SqliteStoreTest, SecondServerIsKeptAway) {
  Open();
  EXPECT_THAT(OpenError(path_).message, HasSubstr("in use by another milvus-cdc"));
}

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_F(SqliteStoreTest, UnusableFilesAreRefusedAndKept) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  progress_.reset();
  store_.reset();
  const auto alter = [&](const std::string& name, const char* sql) {
    const std::string copy = folder_ + "/" + name;
    fs::copy_file(path_, copy);
    Result<std::unique_ptr<SqliteDb>> db = SqliteDb::Open(copy);
    EXPECT_TRUE(db.ok() && (*db)->Exec(sql).ok());
    return copy;
  };
  const std::string text = folder_ + "/text";
  std::ofstream(text) << std::string(5000, 'x');
  const std::string cut = folder_ + "/cut";
  fs::copy_file(path_, cut);
  fs::resize_file(cut, fs::file_size(cut) / 2);
  const struct {
    std::string path;
    const char* message;
  } cases[] = {
      {text, "not a database"},
      {cut, "damaged|malformed"},
      {alter("newer", "PRAGMA user_version = 99"), "format 99, this program knows up to 1"},
      {alter("foreign", "PRAGMA application_id = 5"), "another program"},
      {alter("half", "PRAGMA user_version = 0"), "incomplete"},
  };
  for (const auto& c : cases) {
    const std::string before = ReadAll(c.path);
    const Error error = OpenError(c.path);
    EXPECT_THAT(error.message, testing::ContainsRegex(c.message)) << c.path;
    EXPECT_THAT(error.message, HasSubstr("left as it is")) << c.path;
    EXPECT_EQ(ReadAll(c.path), before) << c.path;
  }
}

TEST_F(SqliteStoreTest, PathsThatCannotBeFilesAreNamed) {
  EXPECT_THAT(OpenError("").message, HasSubstr("metaStoreConfig.sqlite.path"));
  EXPECT_THAT(OpenError("/proc/nowhere/cdc.db").message, HasSubstr("/proc/nowhere/cdc.db"));
  fs::create_directory(path_);
  EXPECT_THAT(OpenError(path_).message, HasSubstr(path_));
}

TEST_F(SqliteStoreTest, MissingFolderIsMade) {
  path_ = folder_ + "/a/b/cdc.db";
  Open();
  EXPECT_TRUE(fs::exists(path_));
}

// What a crash leaves is the file and its log as they stood at some instant. Cutting a copy of the
// log at every kind of place must give a state that really was: all of a write, or none of it.
TEST_F(SqliteStoreTest, CrashAnywhereLeavesWholeWrites) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  constexpr uint64_t kWrites = 40;
  for (uint64_t n = 1; n <= kWrites; ++n) {
    ProgressWrite write = Channel("t", "c1", n);
    write.channels.push_back({"c2", {LogPosition::Kind::kAfter, {0, n}}, n, n});
    write.objects = {{static_cast<CollectionId>(n), {"d", std::string(200, 'x')}, 1, n, {}}};
    write.target = "target";
    write.lanes = {{"lane", n}};
    ASSERT_TRUE(Commit(write).ok());
  }
  const std::string wal = path_ + "-wal";
  const size_t size = fs::file_size(wal);
  uint64_t last = 0;
  size_t states = 0;
  for (size_t cut = 0; cut <= size; cut += 1777) {
    const std::string copy = folder_ + "/copy.db";
    for (const char* suffix : {"", "-wal", "-shm", ".lock"}) fs::remove(copy + suffix);
    fs::copy_file(path_, copy);
    fs::copy_file(wal, copy + "-wal");
    fs::resize_file(copy + "-wal", cut);
    Result<std::unique_ptr<Store>> store = OpenSqliteStore(copy);
    ASSERT_TRUE(store.ok()) << cut << ": " << store.error().message;
    Result<TaskProgress> progress = (*store)->LoadProgress("t");
    uint64_t n = 0;
    if (progress.ok() && !progress->channels.empty()) {
      n = progress->channels["c1"].filter;
      EXPECT_EQ(progress->channels["c2"].filter, n) << cut;
      EXPECT_EQ(progress->objects.size(), n) << cut;
      EXPECT_EQ((*store)->LoadLaneFences("target")->at("lane"), n) << cut;
    }
    EXPECT_GE(n, last) << cut;
    if (n != last) ++states;
    last = n;
  }
  EXPECT_GE(last, kWrites - 1);  // the last cut may miss the tail of the last write
  EXPECT_GE(states, kWrites / 2);
}

// A disk that is full: nothing of the write is stored, the caller may try again, and later does.
TEST_F(SqliteStoreTest, WriteThatFailsLeavesNothingAndCanBeRepeated) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  Result<std::unique_ptr<SqliteDb>> other = SqliteDb::Open(path_);
  ASSERT_TRUE(other.ok());
  // A trigger that fails the second half of the write stands in for the disk.
  ASSERT_TRUE((*other)
                  ->Exec("CREATE TRIGGER full BEFORE INSERT ON lanes "
                         "BEGIN SELECT RAISE(ABORT, 'no space'); END")
                  .ok());
  ProgressWrite write = Channel("t", "c", 7);
  write.target = "target";
  write.lanes = {{"lane", 7}};
  EXPECT_FALSE(Commit(write).ok());
  EXPECT_EQ(FilterOf("t", "c"), 0u);
  ASSERT_TRUE((*other)->Exec("DROP TRIGGER full").ok());
  EXPECT_TRUE(Commit(write).ok());
  EXPECT_EQ(FilterOf("t", "c"), 7u);
}

}  // namespace
}  // namespace cdc
