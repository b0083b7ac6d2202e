#include "client/rocksmq/rocksmq_log.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <random>
#include <thread>

namespace cdc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using namespace std::string_literals;

constexpr auto kPatience = seconds(20);
constexpr uint64_t kFirstId = 470'000'000'000'000'000;

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "rocksmq-test-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_ + "/rocksmq"; }

 private:
  std::string path_;
};

// The owner of a store, as RocksMQ writes one.
class Owner {
 public:
  explicit Owner(const std::string& path, size_t write_buffer = 64 << 20) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.write_buffer_size = write_buffer;
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, path, &db);
    EXPECT_TRUE(status.ok()) << status.ToString();
    db_.reset(db);
  }
  void Put(const std::string& topic, uint64_t id, const std::string& payload) {
    EXPECT_TRUE(db_->Put({}, topic + "/" + std::to_string(id), payload).ok());
  }
  void DeleteRange(const std::string& topic, uint64_t end) {
    EXPECT_TRUE(db_->DeleteRange({}, db_->DefaultColumnFamily(), topic + "/0",
                                 topic + "/" + std::to_string(end))
                    .ok());
  }
  void Flush() { EXPECT_TRUE(db_->Flush({}).ok()); }

 private:
  std::unique_ptr<rocksdb::DB> db_;
};

using Entries = Result<std::vector<RawEntry>>;

std::future<Entries> StartRead(RawTail* tail, size_t max_bytes = 1 << 20) {
  auto promise = std::make_shared<std::promise<Entries>>();
  tail->Read(max_bytes, [promise](Entries entries) { promise->set_value(std::move(entries)); });
  return promise->get_future();
}

Entries Wait(std::future<Entries> future) {
  if (future.wait_for(kPatience) != std::future_status::ready) {
    return FatalError("the read did not end");
  }
  return future.get();
}

Entries ReadNow(RawTail* tail, size_t max_bytes = 1 << 20) {
  return Wait(StartRead(tail, max_bytes));
}

std::map<std::string, LogPosition> LatestOf(RawLog* log, std::vector<std::string> topics) {
  auto promise = std::make_shared<std::promise<Result<std::map<std::string, LogPosition>>>>();
  log->Latest(std::move(topics), [promise](auto result) { promise->set_value(std::move(result)); });
  auto future = promise->get_future();
  if (future.wait_for(kPatience) != std::future_status::ready) return {};
  auto result = future.get();
  EXPECT_TRUE(result.ok());
  return result.ok() ? *result : std::map<std::string, LogPosition>{};
}

LogPosition At(uint64_t id) {
  return {LogPosition::Kind::kAt, {0, id}};
}
LogPosition After(uint64_t id) {
  return {LogPosition::Kind::kAfter, {0, id}};
}

TEST(RocksmqLog, DeliversWhatIsThereAndWhatComes) {
  TempFolder folder;
  Owner owner(folder.path());
  owner.Put("dml_1", kFirstId, "one");
  owner.Put("dml_10", kFirstId + 1, "not of this topic");
  owner.Put("dml_1", kFirstId + 2, "two");
  const auto log = OpenRocksmqLog(folder.path());
  const auto tail = log->Open("dml_1", {});
  auto entries = ReadNow(tail.get());
  ASSERT_TRUE(entries.ok()) << entries.error().message;
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ((*entries)[0].id.minor, kFirstId);
  EXPECT_EQ((*entries)[1].payload.bytes, "two");
  auto waiting = StartRead(tail.get());
  owner.Put("dml_2", kFirstId + 3, "x");
  owner.Put("dml_1", kFirstId + 4, "three");
  entries = Wait(std::move(waiting));
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_EQ((*entries)[0].payload.bytes, "three");
}

TEST(RocksmqLog, CutsReadsAndDeliversOversizedEntriesAlone) {
  TempFolder folder;
  Owner owner(folder.path());
  for (uint64_t i = 0; i < 5; ++i)
    owner.Put("t", kFirstId + i, std::string(i == 2 ? 500 : 40, 'x'));
  const auto log = OpenRocksmqLog(folder.path());
  const auto tail = log->Open("t", {});
  for (const size_t expected : {2, 1, 2}) {
    const auto entries = ReadNow(tail.get(), 100);
    ASSERT_TRUE(entries.ok());
    EXPECT_EQ(entries->size(), expected);
  }
}

TEST(RocksmqLog, SaysWhetherMoreLiesAtHand) {
  TempFolder folder;
  Owner owner(folder.path());
  for (uint64_t i = 0; i < 3; ++i) owner.Put("chan", kFirstId + i, std::string(1000, 'a'));
  const auto log = OpenRocksmqLog(folder.path());
  const auto tail = log->Open("chan", {});
  EXPECT_FALSE(tail->HasMore());
  ASSERT_TRUE(ReadNow(tail.get(), 2500).ok());
  EXPECT_TRUE(tail->HasMore());
  ASSERT_TRUE(ReadNow(tail.get(), 2500).ok());
  EXPECT_FALSE(tail->HasMore());
}

TEST(RocksmqLog, LatestIsBehindTheNewestMessage) {
  TempFolder folder;
  Owner owner(folder.path());
  const auto log = OpenRocksmqLog(folder.path());
  for (uint64_t i = 0; i < 20; ++i) {
    owner.Put("a", kFirstId + i, "x");
    const auto latest = LatestOf(log.get(), {"a", "empty"});
    ASSERT_EQ(latest.size(), 2U);
    EXPECT_EQ(latest.at("a"), After(kFirstId + i));
    EXPECT_EQ(latest.at("empty"), LogPosition{});
  }
}

TEST(RocksmqLog, StartsAtAndAfterAMessage) {
  TempFolder folder;
  Owner owner(folder.path());
  for (uint64_t i = 0; i < 4; ++i) owner.Put("t", kFirstId + 10 * i, std::to_string(i));
  const auto log = OpenRocksmqLog(folder.path());
  const auto at = log->Open("t", At(kFirstId + 20));
  const auto after = log->Open("t", After(kFirstId + 20));
  EXPECT_EQ(ReadNow(at.get())->front().payload.bytes, "2");
  EXPECT_EQ(ReadNow(after.get())->front().payload.bytes, "3");
}

TEST(RocksmqLog, APositionThatIsGoneIsAnErrorWithTheOldestHeld) {
  TempFolder folder;
  Owner owner(folder.path());
  for (uint64_t i = 0; i < 10; ++i) owner.Put("t", kFirstId + i, "x");
  owner.DeleteRange("t", kFirstId + 6);
  const auto log = OpenRocksmqLog(folder.path());
  for (const LogPosition from : {At(kFirstId + 5), After(kFirstId + 5), After(kFirstId)}) {
    const auto tail = log->Open("t", from);
    for (int i = 0; i < 2; ++i) {
      const auto entries = ReadNow(tail.get());
      ASSERT_FALSE(entries.ok());
      EXPECT_EQ(entries.error().kind, ErrorKind::kPositionGone);
      EXPECT_NE(entries.error().message.find("channel t: "), std::string::npos);
      EXPECT_NE(entries.error().message.find(ToString(from)), std::string::npos);
      EXPECT_NE(entries.error().message.find(std::to_string(kFirstId + 6)), std::string::npos);
    }
  }
  const auto earliest = log->Open("t", {});
  EXPECT_EQ(ReadNow(earliest.get())->size(), 4U);
}

Result<std::map<std::string, HeldLog>> HeldOf(RawLog* log,
                                              std::map<std::string, LogPosition> places) {
  auto promise = std::make_shared<std::promise<Result<std::map<std::string, HeldLog>>>>();
  log->Held(std::move(places), [promise](auto result) { promise->set_value(std::move(result)); });
  auto future = promise->get_future();
  if (future.wait_for(kPatience) != std::future_status::ready) return FatalError("no answer");
  return future.get();
}

TEST(RocksmqLog, TellsWhatLiesBeforeAPlace) {
  TempFolder folder;
  Owner owner(folder.path());
  std::mt19937 random(1);
  for (uint64_t i = 0; i < 100; ++i) {
    std::string payload(10'000, ' ');
    for (char& byte : payload) byte = static_cast<char>(random());  // nothing compresses it
    owner.Put("dml_1", kFirstId + i, payload);
  }
  owner.Flush();  // what is in memory is estimated too roughly for a test
  const auto log = OpenRocksmqLog(folder.path());
  auto held = HeldOf(log.get(), {{"dml_1", After(kFirstId + 50)}, {"dml_2", At(kFirstId)}});
  ASSERT_TRUE(held.ok()) << held.error().message;
  ASSERT_EQ(held->size(), 1u);
  EXPECT_EQ((*held)["dml_1"].oldest, (LogId{0, kFirstId}));
  EXPECT_GT((*held)["dml_1"].bytes, 200'000u);
  EXPECT_LT((*held)["dml_1"].bytes, 900'000u);

  owner.DeleteRange("dml_1", kFirstId + 60);
  held = HeldOf(log.get(), {{"dml_1", After(kFirstId + 50)}});
  ASSERT_FALSE(held.ok());
  EXPECT_EQ(held.error().kind, ErrorKind::kPositionGone);
  EXPECT_NE(held.error().message.find(std::to_string(kFirstId + 60)), std::string::npos);
}

TEST(RocksmqLog, APositionInAnEmptyTopicWaits) {
  TempFolder folder;
  Owner owner(folder.path());
  const auto log = OpenRocksmqLog(folder.path());
  const auto tail = log->Open("t", After(kFirstId));
  auto waiting = StartRead(tail.get());
  (void)LatestOf(log.get(), {"t"});
  EXPECT_EQ(waiting.wait_for(seconds(0)), std::future_status::timeout);
  owner.Put("t", kFirstId + 1, "new");
  const auto entries = Wait(std::move(waiting));
  ASSERT_TRUE(entries.ok()) << entries.error().message;
  EXPECT_EQ(entries->front().id.minor, kFirstId + 1);
}

TEST(RocksmqLog, APositionBeyondTheEndIsWaitedForThenGone) {
  TempFolder folder;
  Owner owner(folder.path());
  owner.Put("t", kFirstId, "x");
  RocksmqOptions options;
  const auto patient = OpenRocksmqLog(folder.path(), options);
  const auto tail = patient->Open("t", At(kFirstId + 1));
  auto waiting = StartRead(tail.get());
  (void)LatestOf(patient.get(), {"t"});
  EXPECT_EQ(waiting.wait_for(seconds(0)), std::future_status::timeout);
  owner.Put("t", kFirstId + 1, "it came");
  EXPECT_EQ(Wait(std::move(waiting))->front().payload.bytes, "it came");

  options.ahead_grace = milliseconds(30);
  const auto log = OpenRocksmqLog(folder.path(), options);
  const auto lost = log->Open("t", After(kFirstId + 9));
  const auto entries = ReadNow(lost.get());
  ASSERT_FALSE(entries.ok());
  EXPECT_EQ(entries.error().kind, ErrorKind::kPositionGone);
  EXPECT_NE(entries.error().message.find("restored"), std::string::npos);
}

TEST(RocksmqLog, SaysWhatToDoWithoutAStore) {
  TempFolder folder;
  const auto log = OpenRocksmqLog(folder.path());
  const auto tail = log->Open("t", {});
  auto entries = ReadNow(tail.get());
  ASSERT_FALSE(entries.ok());
  EXPECT_TRUE(entries.error().IsRetry());
  EXPECT_EQ(entries.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(entries.error().message.find("no RocksMQ store at " + folder.path()),
            std::string::npos);
  EXPECT_NE(entries.error().message.find("sourceConfig.rocksmq.path"), std::string::npos);

  std::filesystem::create_directory(folder.path());
  do entries = ReadNow(tail.get());
  while (!entries.ok() && entries.error().message.find("CURRENT") == std::string::npos);
  EXPECT_FALSE(entries.ok());

  // It is noticed when the store appears.
  Owner owner(folder.path());
  owner.Put("t", kFirstId, "x");
  do entries = ReadNow(tail.get());
  while (!entries.ok() && entries.error().IsRetry());
  ASSERT_TRUE(entries.ok()) << entries.error().message;
  EXPECT_EQ(entries->size(), 1U);
}

TEST(RocksmqLog, FollowsARestartedOwner) {
  TempFolder folder;
  auto owner = std::make_unique<Owner>(folder.path());
  owner->Put("t", kFirstId, "0");
  const auto log = OpenRocksmqLog(folder.path());
  const auto tail = log->Open("t", {});
  EXPECT_EQ(ReadNow(tail.get())->size(), 1U);
  for (uint64_t i = 1; i <= 5; ++i) {
    auto waiting = StartRead(tail.get());
    if (i % 2 == 0) owner->Flush();
    owner.reset();
    owner = std::make_unique<Owner>(folder.path());
    owner->Put("t", kFirstId + i, std::to_string(i));
    const auto entries = Wait(std::move(waiting));
    ASSERT_TRUE(entries.ok()) << entries.error().message;
    ASSERT_EQ(entries->size(), 1U);
    EXPECT_EQ(entries->front().payload.bytes, std::to_string(i));
  }
}

TEST(RocksmqLog, AStoreMadeAnewIsNoticed) {
  TempFolder folder;
  auto owner = std::make_unique<Owner>(folder.path());
  owner->Put("t", kFirstId, "old");
  const auto log = OpenRocksmqLog(folder.path());
  const auto tail = log->Open("t", {});
  EXPECT_EQ(ReadNow(tail.get())->size(), 1U);
  owner.reset();
  std::filesystem::remove_all(folder.path());
  owner = std::make_unique<Owner>(folder.path());
  owner->Put("t", kFirstId + 7, "new");
  Entries entries = ReadNow(tail.get());
  while (!entries.ok() && entries.error().IsRetry()) entries = ReadNow(tail.get());
  ASSERT_FALSE(entries.ok()) << "went on in another store as if nothing had happened";
  EXPECT_EQ(entries.error().kind, ErrorKind::kPositionGone);
  const auto fresh = log->Open("t", {});
  EXPECT_EQ(ReadNow(fresh.get())->front().payload.bytes, "new");
}

TEST(RocksmqLog, LeavesNothingBehindInTheTempFolder) {
  TempFolder folder;
  Owner owner(folder.path());
  TempFolder temp;
  std::filesystem::create_directory(temp.path());
  const char* before = getenv("TMPDIR");
  const std::string saved = before == nullptr ? "" : before;
  setenv("TMPDIR", temp.path().c_str(), 1);
  {
    const auto log = OpenRocksmqLog(folder.path());
    (void)LatestOf(log.get(), {"t"});
    EXPECT_TRUE(std::filesystem::is_empty(temp.path()));
  }
  if (before == nullptr) {
    unsetenv("TMPDIR");
  } else {
    setenv("TMPDIR", saved.c_str(), 1);
  }
  EXPECT_TRUE(std::filesystem::is_empty(temp.path()));
}

// ---- the hole -------------------------------------------------------------------------------

constexpr const char* kWriterPath = "CDC_TEST_ROCKSMQ_WRITER";
constexpr uint64_t kLimit = 4'000'000;

std::string Payload(uint64_t number) {
  std::string payload(1000, 'x');
  payload.replace(0, 20, std::to_string(number));
  return payload;
}

// Runs in a process of its own (see Writer): 1 kB messages at some 60 MB/s with a 1 MB write
// buffer, so that the store is flushed and its write-ahead log replaced all the time.
TEST(RocksmqWriter, DISABLED_Run) {
  const char* path = getenv(kWriterPath);
  ASSERT_NE(path, nullptr) << "started by the other tests only";
  Owner owner(path, 1 << 20);
  const auto start = std::chrono::steady_clock::now();
  for (uint64_t number = 0; number < kLimit; ++number) {
    owner.Put("t", kFirstId + number, Payload(number));
    if (number % 60 == 0) {
      std::this_thread::sleep_until(start + milliseconds(number / 60));
    }
    if (getppid() == 1) break;  // the test is gone
  }
}

class Writer {
 public:
  explicit Writer(const std::string& path) {
    pid_ = fork();
    if (pid_ != 0) return;
    setenv(kWriterPath, path.c_str(), 1);
    execl("/proc/self/exe", "writer", "--gtest_also_run_disabled_tests",
          "--gtest_filter=RocksmqWriter.DISABLED_Run", "--gtest_brief=1", nullptr);
    _exit(127);
  }
  ~Writer() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
};

std::unique_ptr<rocksdb::DB> OpenNaive(const std::string& path, const std::string& own_folder) {
  rocksdb::Options options;
  options.max_open_files = -1;
  options.info_log_level = rocksdb::InfoLogLevel::FATAL_LEVEL;
  rocksdb::DB* db = nullptr;
  if (!rocksdb::DB::OpenAsSecondary(options, path, own_folder, &db).ok()) return nullptr;
  return std::unique_ptr<rocksdb::DB>(db);
}

// Follows the store from the last key it has seen, as one would without knowing better; true as
// soon as a message was missed.
bool NaiveTailMisses(const std::string& path, const std::string& own_folder, seconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  std::unique_ptr<rocksdb::DB> db;
  std::string last = "t/";
  uint64_t next = 0;
  while (std::chrono::steady_clock::now() < end) {
    if (!db) db = OpenNaive(path, own_folder);
    if (!db || !db->TryCatchUpWithPrimary().ok()) {
      db.reset();
      continue;
    }
    const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}));
    for (it->Seek(last); it->Valid(); it->Next()) {
      if (it->key() == last) continue;
      last = it->key().ToString();
      if (std::stoull(last.substr(2)) != kFirstId + next) return true;
      ++next;
    }
  }
  return false;
}

TEST(RocksmqLog, LosesNothingWhileTheOwnerFlushes) {
  TempFolder folder;
  const std::string path = folder.path();
  std::atomic<bool> stop = false;
  uint64_t read = 0;
  std::string trouble;
  Writer writer(path);
  // Ours, in a thread of its own.
  std::thread ours([&] {
    const auto log = OpenRocksmqLog(path);
    const auto tail = log->Open("t", {});
    while (!stop && trouble.empty()) {
      const Entries entries = ReadNow(tail.get());
      if (!entries.ok()) {
        if (!entries.error().IsRetry()) trouble = entries.error().message;
        continue;
      }
      for (const RawEntry& entry : *entries) {
        const bool right =
            entry.id.minor == kFirstId + read && entry.payload.bytes == Payload(read);
        if (!right) trouble = "message " + std::to_string(read) + " is missing";
        if (!right) break;
        ++read;
      }
    }
  });
  const bool naive_missed = NaiveTailMisses(path, path + "-naive", seconds(10));
  std::this_thread::sleep_for(milliseconds(1500));  // ours sees more flushes than the naive one
  stop = true;
  ours.join();
  EXPECT_TRUE(naive_missed) << "the load did not show the hole: the test proves nothing";
  EXPECT_EQ(trouble, "");
  EXPECT_GT(read, 20'000U);
  RecordProperty("messages", std::to_string(read));
}

}  // namespace
}  // namespace cdc
