// The contract of Store, on every database: see store_backends_test.h.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>

#include "base/thread_executor.h"
#include "store/opened_store_test.h"
#include "store/store_backends_test.h"

namespace cdc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Timestamp kHuge = 0xfedcba9876543210ull;  // > 2^63

class StoreContractTest : public testing::TestWithParam<std::string>, protected OpenedStore {
 protected:
  ~StoreContractTest() override { Close(); }

  void Open() { Take(backend_->Open()); }
  void Reopen() {
    Close();
    Open();
  }

  const std::unique_ptr<StoreBackend> backend_ = MakeStoreBackend(GetParam());
};

TEST_P(StoreContractTest, TaskComesBackWhole) {
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
  spec.ignore_partitions = true;
  spec.enable_user_role = true;
  spec.request_json = R"({"milvus_connect_param":{"uri":"http://x:1"}})";
  spec.start.collections[449] = {{"c1", {{LogPosition::Kind::kAt, {7, kHuge}}, kHuge}},
                                 {"c2", {{LogPosition::Kind::kEarliest, {}}, 0}}};
  spec.start.collections[-1] = {};
  spec.start.others = {{"c1", {LogPosition::Kind::kAfter, {0, 3}}}};
  spec.start.adopted = {449};
  spec.start.made_ts = kHuge;
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
  EXPECT_EQ(loaded->spec.ignore_partitions, spec.ignore_partitions);
  EXPECT_EQ(loaded->spec.enable_user_role, spec.enable_user_role);
  EXPECT_EQ(loaded->spec.start, spec.start);
  EXPECT_EQ(loaded->spec.request_json, spec.request_json);
}

TEST_P(StoreContractTest, TasksAreListedInOrderOfCreation) {
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

TEST_P(StoreContractTest, TaskIdIsTakenOnce) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  const Status again = store_->AddTask(Task("t"));
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::kAlreadyExists);
}

TEST_P(StoreContractTest, MissingTaskIsNotFound) {
  Open();
  EXPECT_EQ(store_->LoadTask("x").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(store_->LoadProgress("x").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(store_->DeleteTask("x").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(store_->UpdateState("x", TaskState::kPaused, "").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(store_->UpdateSpec(Task("x").spec).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(Commit(Channel("x", "c", 1)).error().kind, ErrorKind::kNotFound);
}

TEST_P(StoreContractTest, SpecAndStateChangeApart) {
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

TEST_P(StoreContractTest, ProgressComesBackWhole) {
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
  write.rbac = RbacCatalog{{{"eve", ""}},
                           {"reader"},
                           {{"eve", "reader"}},
                           {{"reader", "Collection", "d", "*", "Query", true}},
                           {{"g", {"Insert"}}}};
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
  EXPECT_EQ(progress->rbac, write.rbac);
}

TEST_P(StoreContractTest, OnlyWhatIsNamedChanges) {
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

TEST_P(StoreContractTest, ForgettingAndNamingOneIdKeepsTheNewRecord) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  ProgressWrite write;
  write.task = "t";
  write.forgotten_objects = {1};
  write.objects = {{1, {"d", "new"}, 11, 0, {}}};
  ASSERT_TRUE(Commit(write).ok());
  EXPECT_EQ(store_->LoadProgress("t")->objects[1].name.collection, "new");
}

TEST_P(StoreContractTest, DeleteRemovesProgressButNotTheClockOfTheTarget) {
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

TEST_P(StoreContractTest, LanesBelongToTheirTarget) {
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

TEST_P(StoreContractTest, WritesWithoutTaskOrTargetAreRefused) {
  Open();
  EXPECT_EQ(Commit(Channel("", "c", 1)).error().kind, ErrorKind::kInvalid);
  ProgressWrite write;
  write.lanes = {{"l", 1}};
  EXPECT_EQ(Commit(write).error().kind, ErrorKind::kInvalid);
}

TEST_P(StoreContractTest, TaskIsAddedWithItsFirstProgressOrNotAtAll) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t"), Channel("t", "c", 9)).ok());
  EXPECT_EQ(FilterOf("t", "c"), 9u);
  ProgressWrite wrong = Channel("nobody", "c", 1);
  EXPECT_FALSE(store_->AddTask(Task("u"), wrong).ok());
  EXPECT_EQ(store_->LoadTask("u").error().kind, ErrorKind::kNotFound);
}

TEST_P(StoreContractTest, CommitsAreWrittenAndAnsweredInOrder) {
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

TEST_P(StoreContractTest, CallsSeeEveryCommitIssuedBefore) {
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

TEST_P(StoreContractTest, QueuedWritesSurviveTheEndOfWriterAndStore) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  for (uint64_t n = 1; n <= 500; ++n) progress_->Commit(Channel("t", "c", n), [](Status) {});
  Reopen();
  EXPECT_EQ(FilterOf("t", "c"), 500u);
}

TEST_P(StoreContractTest, NoCallbackAfterItsWriterIsGone) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  auto executor = std::make_unique<ThreadExecutor>("short");
  std::unique_ptr<ProgressStore> writer = store_->OpenProgress(*executor);
  for (uint64_t n = 1; n <= 500; ++n) writer->Commit(Channel("t", "c", n), [](Status) {});
  writer.reset();
  executor.reset();  // a late callback would use it after its end (asan sees that)
  EXPECT_EQ(FilterOf("t", "c"), 500u);
}

// ---- sizes ------------------------------------------------------------------------------------

// `count` collections and as many channels, numbered from `first`.
ProgressWrite Large(const std::string& task, int first, int count) {
  ProgressWrite write;
  write.task = task;
  for (int i = first; i < first + count; ++i) {
    const std::string name = "by-dev-rootcoord-dml_" + std::to_string(i);
    write.channels.push_back({name, {LogPosition::Kind::kAfter, {0, kHuge}}, kHuge, kHuge});
    ObjectRecord object{
        449'000'000'000'000'000 + i, {"default", "collection_" + name}, i, kHuge, {}, {}};
    object.pchannels = {name, name + "x"};
    object.partitions = {{i, -i}, {i + 1, kHuge / 3}};
    write.objects.push_back(std::move(object));
  }
  write.target = "target";
  write.lanes = {{"lane", kHuge}};
  return write;
}

TEST_P(StoreContractTest, ManyCollectionsInOneWrite) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t"), Large("t", 0, 500)).ok());
  ASSERT_TRUE(store_->WriteProgress(Large("t", 250, 1000)).ok());
  Reopen();
  Result<TaskProgress> progress = store_->LoadProgress("t");
  ASSERT_TRUE(progress.ok()) << progress.error().message;
  EXPECT_EQ(progress->channels.size(), 1250u);
  EXPECT_EQ(progress->objects.size(), 1250u);
  const ProgressWrite sample = Large("t", 777, 1);
  EXPECT_EQ(progress->objects[sample.objects[0].source_id], sample.objects[0]);
  EXPECT_EQ(progress->channels[sample.channels[0].channel], sample.channels[0]);
  ASSERT_TRUE(store_->DeleteTask("t").ok());
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  EXPECT_THAT(store_->LoadProgress("t")->objects, IsEmpty());
}

TEST_P(StoreContractTest, TenThousandCollectionsOfOneTask) {
  Open();
  ASSERT_TRUE(store_->AddTask(Task("t")).ok());
  std::promise<void> all;
  auto future = all.get_future();
  for (int first = 0; first < 10'000; first += 50) {
    progress_->Commit(Large("t", first, 50), [&, first](const Status& status) {
      EXPECT_TRUE(status.ok()) << status.error().message;
      if (first + 50 == 10'000) all.set_value();
    });
  }
  future.wait();
  Reopen();
  Result<TaskProgress> progress = store_->LoadProgress("t");
  ASSERT_TRUE(progress.ok()) << progress.error().message;
  EXPECT_EQ(progress->objects.size(), 10'000u);
  ASSERT_TRUE(store_->DeleteTask("t").ok());
}

// Selections that name thousands of collections one by one.
TEST_P(StoreContractTest, SpecOfManyMegabytes) {
  Open();
  StoredTask task = Task("t");
  for (int i = 0; i < 20'000; ++i) {
    task.spec.selection.includes.push_back({"default", "collection_" + std::to_string(i)});
  }
  task.spec.request_json.assign(2'000'000, '"');  // each takes two bytes as JSON
  ASSERT_TRUE(store_->AddTask(task).ok());
  Reopen();
  Result<StoredTask> loaded = store_->LoadTask("t");
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(loaded->spec.selection, task.spec.selection);
  EXPECT_EQ(loaded->spec.request_json, task.spec.request_json);
  ASSERT_TRUE(store_->UpdateSpec(Task("t").spec).ok());
  EXPECT_EQ(store_->LoadTask("t")->spec.selection, Task("t").spec.selection);
  ASSERT_EQ(store_->ListTasks()->size(), 1u);
  ASSERT_TRUE(store_->DeleteTask("t").ok());
}

TEST_P(StoreContractTest, NamesOfAnyCharacters) {
  Open();
  const std::string name = "a/b%2F\xC3\xBC'_\"\\:*";
  ASSERT_TRUE(store_->AddTask(Task(name), Channel(name, name, 1)).ok());
  ASSERT_TRUE(store_->AddTask(Task("a"), Channel("a", "c", 2)).ok());
  ProgressWrite write = Channel(name, name, 3);
  write.target = name;
  write.lanes = {{name, 4}};
  ASSERT_TRUE(Commit(write).ok());
  Reopen();
  EXPECT_EQ(FilterOf(name, name), 3u);
  EXPECT_EQ(FilterOf("a", "c"), 2u);
  EXPECT_EQ(store_->LoadTask(name)->spec.id, name);
  EXPECT_EQ(*store_->LoadLaneFences(name), (std::map<std::string, Timestamp>{{name, 4}}));
  EXPECT_THAT(*store_->LoadLaneFences("a"), IsEmpty());
  ASSERT_TRUE(store_->DeleteTask("a").ok());
  EXPECT_EQ(FilterOf(name, name), 3u);
}

INSTANTIATE_TEST_SUITE_P(On, StoreContractTest, testing::ValuesIn(StoreBackends()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace cdc
