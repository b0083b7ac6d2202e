// What can go wrong between a store and a database behind a network. The contract of Store itself
// is in store_contract_test.cc.
#include "store/kv_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "store/kv_db_in_memory_test.h"
#include "store/kv_records.h"

namespace cdc {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Key;
using testing::Not;
using testing::StartsWith;
using Fault = MemoryKv::Fault;

StoredTask Task(const std::string& id) {
  StoredTask task;
  task.spec.id = id;
  task.spec.mode = TargetMode::kApi;
  task.spec.selection.includes = {{"default", "*"}};
  return task;
}

ProgressWrite Channel(const std::string& task, uint64_t n) {
  ProgressWrite write;
  write.task = task;
  write.channels = {{"c", {LogPosition::Kind::kAfter, {0, n}}, n, n}};
  return write;
}

ProgressWrite Channels(const std::string& task, uint64_t n) {
  ProgressWrite write;
  write.task = task;
  for (int i = 0; i < 20; ++i) {
    write.channels.push_back({"c" + std::to_string(i), {}, n, n});
  }
  return write;
}

class KvTablesTest : public testing::Test {
 protected:
  std::unique_ptr<StoreTables> Open() {
    Result<std::unique_ptr<StoreTables>> tables = OpenKvTables(std::make_unique<InMemoryKvDb>(kv_));
    EXPECT_TRUE(tables.ok()) << tables.error().message;
    return tables.ok() ? *std::move(tables) : nullptr;
  }
  static Status Write(StoreTables* tables, const ProgressWrite& write) {
    return tables->WriteProgress({&write}).front();
  }
  static uint64_t FilterOf(StoreTables* tables, const std::string& task) {
    Result<TaskProgress> progress = tables->LoadProgress(task);
    return progress.ok() ? progress->channels["c"].filter : 0;
  }

  std::shared_ptr<MemoryKv> kv_ = std::make_shared<MemoryKv>();
};

TEST_F(KvTablesTest, AnswerThatWasLostIsFoundOut) {
  const auto tables = Open();
  kv_->faults = {Fault::kAnswerLost};
  EXPECT_TRUE(tables->AddTask(Task("t"), {}).ok());
  kv_->faults = {Fault::kAnswerLost};
  EXPECT_TRUE(Write(tables.get(), Channel("t", 5)).ok());
  EXPECT_EQ(FilterOf(tables.get(), "t"), 5u);
  kv_->faults = {Fault::kLate};
  EXPECT_TRUE(Write(tables.get(), Channel("t", 6)).ok());
  EXPECT_EQ(FilterOf(tables.get(), "t"), 6u);
}

TEST_F(KvTablesTest, RequestThatWasLostCanBeRepeated) {
  const auto tables = Open();
  ASSERT_TRUE(tables->AddTask(Task("t"), {}).ok());
  kv_->faults = {Fault::kRequestLost};
  const Status lost = Write(tables.get(), Channel("t", 5));
  ASSERT_FALSE(lost.ok());
  EXPECT_TRUE(lost.error().IsRetry());
  EXPECT_EQ(lost.error().kind, ErrorKind::kOther);  // it is known that nothing was stored
  EXPECT_EQ(FilterOf(tables.get(), "t"), 0u);
  EXPECT_TRUE(Write(tables.get(), Channel("t", 5)).ok());
  EXPECT_EQ(FilterOf(tables.get(), "t"), 5u);
}

// The write that was reported as failed must not come back over a later one.
TEST_F(KvTablesTest, RequestThatArrivesTooLateChangesNothing) {
  const auto tables = Open();
  ASSERT_TRUE(tables->AddTask(Task("t"), {}).ok());
  kv_->faults = {Fault::kTooLate};
  EXPECT_FALSE(Write(tables.get(), Channel("t", 5)).ok());
  EXPECT_EQ(FilterOf(tables.get(), "t"), 0u);
  EXPECT_TRUE(Write(tables.get(), Channel("t", 7)).ok());
  EXPECT_EQ(FilterOf(tables.get(), "t"), 7u);
}

TEST_F(KvTablesTest, SeveralLostAnswersInARow) {
  const auto tables = Open();
  ASSERT_TRUE(tables->AddTask(Task("t"), {}).ok());
  for (const Fault second : {Fault::kAnswerLost, Fault::kRequestLost, Fault::kLate}) {
    kv_->faults = {Fault::kRequestLost, second};
    EXPECT_FALSE(Write(tables.get(), Channel("t", 5)).ok());
    EXPECT_EQ(FilterOf(tables.get(), "t"), 0u);
  }
  EXPECT_TRUE(Write(tables.get(), Channel("t", 5)).ok());
}

TEST_F(KvTablesTest, DatabaseAwayIsARetryAndItGoesOn) {
  const auto tables = Open();
  ASSERT_TRUE(tables->AddTask(Task("t"), Channel("t", 1)).ok());
  kv_->commits_until_away = 0;
  EXPECT_TRUE(Write(tables.get(), Channel("t", 2)).error().IsRetry());
  EXPECT_TRUE(tables->LoadProgress("t").error().IsRetry());
  EXPECT_TRUE(tables->ListTasks().error().IsRetry());
  EXPECT_TRUE(tables->DeleteTask("t").error().IsRetry());
  kv_->commits_until_away = -1;
  EXPECT_TRUE(Write(tables.get(), Channel("t", 3)).ok());
  EXPECT_EQ(FilterOf(tables.get(), "t"), 3u);
}

// A create that was answered with an error must not come to life later.
TEST_F(KvTablesTest, TaskWhoseAdditionWasReportedAsFailedIsRemoved) {
  const auto tables = Open();
  kv_->commits_until_away = 1;
  kv_->faults = {Fault::kAnswerLost};
  const Status added = tables->AddTask(Task("t"), Channel("t", 1));
  ASSERT_FALSE(added.ok());
  EXPECT_EQ(added.error().kind, ErrorKind::kUnknownOutcome);
  EXPECT_THAT(kv_->data, Contains(Key("task/t")));
  kv_->commits_until_away = -1;
  EXPECT_EQ(tables->ListTasks()->size(), 0u);
  EXPECT_THAT(kv_->data, Not(Contains(Key(StartsWith("progress/")))));
  EXPECT_TRUE(tables->AddTask(Task("t"), Channel("t", 2)).ok());
  EXPECT_EQ(FilterOf(tables.get(), "t"), 2u);
}

TEST_F(KvTablesTest, DeletionWhoseAnswerWasLostIsKnownLater) {
  const auto tables = Open();
  ASSERT_TRUE(tables->AddTask(Task("t"), {}).ok());
  kv_->commits_until_away = 1;
  kv_->faults = {Fault::kAnswerLost};
  EXPECT_FALSE(tables->DeleteTask("t").ok());
  kv_->commits_until_away = -1;
  EXPECT_EQ(tables->DeleteTask("t").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(Write(tables.get(), Channel("t", 1)).error().kind, ErrorKind::kNotFound);
}

TEST_F(KvTablesTest, TheLaterOfTwoServersHasTheStore) {
  const auto first = Open();
  ASSERT_TRUE(first->AddTask(Task("t"), Channel("t", 1)).ok());
  const auto second = Open();
  ASSERT_TRUE(Write(second.get(), Channel("t", 2)).ok());
  const auto data = kv_->data;
  for (int i = 0; i < 2; ++i) {
    const Status refused = Write(first.get(), Channel("t", 9));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().disposition, Disposition::kFatal);
    EXPECT_THAT(refused.error().message, HasSubstr("taken over by another milvus-cdc"));
    EXPECT_FALSE(first->DeleteTask("t").ok());
    EXPECT_FALSE(first->AddTask(Task("u"), {}).ok());
  }
  EXPECT_EQ(kv_->data, data);
  EXPECT_TRUE(Write(second.get(), Channel("t", 3)).ok());
}

TEST_F(KvTablesTest, StoreThatWasEmptiedIsNotWrittenTo) {
  const auto tables = Open();
  ASSERT_TRUE(tables->AddTask(Task("t"), {}).ok());
  kv_->data.clear();
  EXPECT_THAT(Write(tables.get(), Channel("t", 1)).error().message, HasSubstr("emptied"));
  EXPECT_TRUE(kv_->data.empty());
}

TEST_F(KvTablesTest, TaskRemovedByHandIsNotFoundAndHurtsNoOther) {
  const auto tables = Open();
  for (const char* id : {"a", "b"}) ASSERT_TRUE(tables->AddTask(Task(id), {}).ok());
  kv_->data.erase("task/a");
  const ProgressWrite writes[] = {Channel("b", 1), Channel("a", 1), Channel("b", 2)};
  const std::vector<Status> outcomes = tables->WriteProgress({&writes[0], &writes[1], &writes[2]});
  EXPECT_TRUE(outcomes[0].ok());
  EXPECT_EQ(outcomes[1].error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(outcomes[2].ok());
  EXPECT_EQ(FilterOf(tables.get(), "b"), 2u);
}

TEST_F(KvTablesTest, NewerFormatIsRefusedAndLeftAlone) {
  kv_->data["head"] = R"({"format":2,"something":"else"})";
  const auto data = kv_->data;
  const Result<std::unique_ptr<StoreTables>> tables =
      OpenKvTables(std::make_unique<InMemoryKvDb>(kv_));
  ASSERT_FALSE(tables.ok());
  EXPECT_THAT(tables.error().message, HasSubstr("format 2, this program knows up to 1"));
  EXPECT_EQ(kv_->data, data);
}

TEST_F(KvTablesTest, WritesOfOneGroupShareCommits) {
  const auto tables = Open();
  ASSERT_TRUE(tables->AddTask(Task("t"), {}).ok());
  std::vector<ProgressWrite> writes;
  for (uint64_t n = 1; n <= 100; ++n) writes.push_back(Channel("t", n));
  std::vector<const ProgressWrite*> group;
  for (const ProgressWrite& write : writes) group.push_back(&write);
  const size_t before = kv_->commits;
  for (const Status& outcome : tables->WriteProgress(group)) EXPECT_TRUE(outcome.ok());
  EXPECT_LE(kv_->commits - before, 3u);
  EXPECT_EQ(FilterOf(tables.get(), "t"), 100u);
}

// When the database fails in the middle of a group, no write behind that point is stored.
TEST_F(KvTablesTest, NoWriteOvertakesOneThatFailed) {
  kv_->limits = {8, 100'000};
  const auto tables = Open();
  ASSERT_TRUE(tables->AddTask(Task("t"), {}).ok());
  std::vector<ProgressWrite> writes;
  for (uint64_t n = 1; n <= 40; ++n) writes.push_back(Channel("t", n));
  std::vector<const ProgressWrite*> group;
  for (const ProgressWrite& write : writes) group.push_back(&write);
  kv_->faults = {Fault::kNone, Fault::kNone, Fault::kFails};
  const std::vector<Status> outcomes = tables->WriteProgress(group);
  size_t stored = 0;
  while (stored < outcomes.size() && outcomes[stored].ok()) ++stored;
  EXPECT_GT(stored, 0u);
  for (size_t i = stored; i < outcomes.size(); ++i) EXPECT_FALSE(outcomes[i].ok());
  EXPECT_EQ(FilterOf(tables.get(), "t"), stored);
}

// A write of many commits, broken off after each of them: it is there as a whole, or not at all.
TEST_F(KvTablesTest, CrashAnywhereLeavesWholeWrites) {
  kv_->limits = {6, 300};
  std::set<uint64_t> seen;
  for (int crash = 0;; ++crash) {
    kv_->data.clear();
    {
      const auto tables = Open();
      ASSERT_TRUE(tables->AddTask(Task("t"), Channels("t", 1)).ok());
      kv_->commits_until_away = crash;
      (void)Write(tables.get(), Channels("t", 2)).ok();
    }
    const bool through = kv_->commits_until_away != 0;
    kv_->commits_until_away = -1;
    const auto tables = Open();
    Result<TaskProgress> progress = tables->LoadProgress("t");
    ASSERT_TRUE(progress.ok()) << progress.error().message;
    ASSERT_EQ(progress->channels.size(), 20u);
    const uint64_t n = progress->channels["c0"].filter;
    for (const auto& [name, checkpoint] : progress->channels) {
      EXPECT_EQ(checkpoint.filter, n) << crash << " " << name;
    }
    seen.insert(n);
    EXPECT_THAT(kv_->data, Not(Contains(Key(StartsWith("journal/"))))) << crash;
    if (through) break;
    ASSERT_LT(crash, 100);
  }
  EXPECT_THAT(seen, testing::ElementsAre(1, 2));
}

TEST_F(KvTablesTest, LostAnswersAnywhereInAWriteOfManyCommits) {
  kv_->limits = {6, 300};
  for (const Fault fault :
       {Fault::kAnswerLost, Fault::kRequestLost, Fault::kLate, Fault::kTooLate}) {
    for (int at = 0; at < 20; ++at) {
      kv_->data.clear();
      const auto tables = Open();
      ASSERT_TRUE(tables->AddTask(Task("t"), Channels("t", 1)).ok());
      kv_->faults.assign(at, Fault::kNone);
      kv_->faults.push_back(fault);
      const bool stored = Write(tables.get(), Channels("t", 2)).ok();
      kv_->faults.clear();
      Result<TaskProgress> progress = tables->LoadProgress("t");
      ASSERT_TRUE(progress.ok()) << progress.error().message;
      for (const auto& [name, checkpoint] : progress->channels) {
        EXPECT_EQ(checkpoint.filter, stored ? 2u : 1u) << at << " " << name;
      }
      EXPECT_TRUE(Write(tables.get(), Channels("t", 3)).ok());
    }
  }
}

}  // namespace
}  // namespace cdc
