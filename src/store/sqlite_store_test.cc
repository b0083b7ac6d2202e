// What only the SQLite store promises; the rest is in store_contract_test.cc.
#include "store/sqlite_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "store/opened_store_test.h"
#include "store/sqlite_db.h"

namespace cdc {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SqliteStoreTest : public testing::Test, protected OpenedStore {
 protected:
  SqliteStoreTest() {
    std::string name = "/tmp/cdc_store_test.XXXXXX";
    folder_ = mkdtemp(name.data());
    path_ = folder_ + "/cdc.db";
  }
  ~SqliteStoreTest() override {
    Close();
    fs::remove_all(folder_);
  }

  void Open() { Take(OpenSqliteStore(path_)); }
  Error OpenError(const std::string& path) {
    Result<std::unique_ptr<Store>> store = OpenSqliteStore(path);
    return store.ok() ? Error{} : store.error();
  }

  std::string folder_;
  std::string path_;
};

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
  Close();
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
  Close();
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
  Close();
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
      {alter("newer", "PRAGMA user_version = 99"), "format 99, this program knows up to 2"},
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

TEST_F(SqliteStoreTest, AnOlderFormatIsBroughtUpToDate) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  ASSERT_TRUE(Commit(Channel("t", "c", 5)).ok());
  Close();
  {
    Result<std::unique_ptr<SqliteDb>> db = SqliteDb::Open(path_);
    ASSERT_TRUE(db.ok());
    ASSERT_TRUE((*db)->Exec("DROP TABLE rbac; PRAGMA user_version = 1").ok());
  }
  Open();
  ProgressWrite write;
  write.task = "t";
  write.rbac = RbacCatalog{{}, {"reader"}, {}, {}, {}};
  ASSERT_TRUE(Commit(write).ok());
  const Result<TaskProgress> progress = store_->LoadProgress("t");
  ASSERT_TRUE(progress.ok()) << progress.error().message;
  EXPECT_EQ(progress->rbac, write.rbac);
  EXPECT_EQ(progress->channels.at("c").filter, 5u);
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
