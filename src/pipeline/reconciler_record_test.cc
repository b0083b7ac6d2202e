// What the Reconciler has to write down is written although the store was away at first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "pipeline/manual_executor_test.h"
#include "pipeline/reconciler.h"

namespace cdc {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class FakeAdmin final : public TargetAdmin {
 public:
  explicit FakeAdmin(Executor* executor) : executor_(executor) {}
  void ListDatabases(Callback<Result<std::vector<std::string>>> done) override {
    executor_->Post([done = std::move(done)] { done(std::vector<std::string>{"default", "d"}); });
  }
  void Describe(TargetName, Callback<Result<std::optional<TargetCollection>>> done) override {
    executor_->Post([done = std::move(done)] { done(std::optional<TargetCollection>()); });
  }
  void Apply(DdlStep step, Callback<Status> done) override {
    applied.push_back(ToString(step));
    executor_->Post([done = std::move(done)] { done(OkStatus()); });
  }
  std::vector<std::string> applied;

 private:
  Executor* const executor_;
};

class FakeHost final : public ReconcilerHost {
 public:
  explicit FakeHost(Executor* executor) : executor_(executor) {}
  Channel* OpenChannel(const std::string&, const Object&) override { return nullptr; }
  Channel* FindChannel(const std::string&) override { return nullptr; }
  void ResumeChannels() override {}
  void Write(ProgressWrite write, Callback<Status> done) override {
    ++tries;
    if (!away) written.push_back(std::move(write));
    executor_->Post([done = std::move(done), failed = away] {
      done(failed ? Status(RetryError("the store is away")) : OkStatus());
    });
  }
  void Latest(std::vector<std::string>,
              Callback<Result<std::map<std::string, LogPosition>>>) override {}
  void RefreshCatalog(CollectionId, Callback<Status>) override {}
  void SetTrouble(const std::string&, const Error*) override {}
  void Fail(const Error& error) override { ADD_FAILURE() << error.message; }

  bool away = false;
  int tries = 0;
  std::vector<ProgressWrite> written;

 private:
  Executor* const executor_;
};

class ReconcilerRecordTest : public testing::Test {
 protected:
  void Begin(const TaskProgress& progress) {
    Reconciler::Options options;
    options.selection.includes = {{"d", "*"}};
    reconciler_ = std::make_unique<Reconciler>(std::move(options), progress, &executor_, &admin_,
                                               nullptr, &host_);
  }
  void Say(int64_t revision, std::vector<SourceDatabase> databases = {}) {
    CatalogUpdate update;
    update.cluster_id = 7;
    update.revision = revision;
    update.full = true;
    update.databases = std::move(databases);
    reconciler_->OnCatalog(update);
    executor_.Run();
  }

  ManualExecutor executor_;
  FakeAdmin admin_{&executor_};
  FakeHost host_{&executor_};
  std::unique_ptr<Reconciler> reconciler_;
};

TEST_F(ReconcilerRecordTest, TheSourcesIdentityAsItIsByThen) {
  host_.away = true;
  Begin({});
  Say(5);
  Say(9);
  EXPECT_THAT(host_.written, IsEmpty());
  host_.away = false;
  executor_.Run(seconds(10));
  ASSERT_EQ(host_.written.size(), 1u);
  EXPECT_EQ(host_.written[0].source->cluster_id, 7u);
  EXPECT_EQ(host_.written[0].source->revision, 9);
}

TEST_F(ReconcilerRecordTest, AStoreThatIsAwayIsNotAskedAllTheTime) {
  host_.away = true;
  Begin({});
  Say(5);
  executor_.Run(seconds(60));
  EXPECT_GE(host_.tries, 12);
  EXPECT_LE(host_.tries, 20);
}

TEST_F(ReconcilerRecordTest, ADroppedDatabaseIsForgotten) {
  TaskProgress progress;
  progress.source = SourceIdentity{7, 1};
  progress.databases[3] = {3, "d", "d", true};
  Begin(progress);
  executor_.Run(seconds(2));  // what an earlier life may have sent has settled
  host_.away = true;
  Say(5, {{3, "d", ObjectState::kDropped, {}}});
  ASSERT_EQ(admin_.applied.size(), 1u);
  host_.away = false;
  executor_.Run(seconds(10));
  ASSERT_EQ(host_.written.size(), 1u);
  EXPECT_THAT(host_.written[0].forgotten_databases, ElementsAre(3));
  EXPECT_THAT(host_.written[0].databases, IsEmpty());
  EXPECT_EQ(admin_.applied.size(), 1u);
}

TEST_F(ReconcilerRecordTest, AnInheritedDatabaseIsOurs) {
  TaskProgress progress;
  progress.source = SourceIdentity{7, 1};
  progress.databases[3] = {3, "d", "d", true};
  Begin(progress);
  host_.away = true;
  Say(5, {{3, "d", ObjectState::kDropped, {}}, {4, "d", ObjectState::kCreated, {}}});
  host_.away = false;
  executor_.Run(seconds(10));
  std::vector<DatabaseRecord> records;
  for (const ProgressWrite& write : host_.written) {
    records.insert(records.end(), write.databases.begin(), write.databases.end());
  }
  EXPECT_THAT(records, testing::Contains(DatabaseRecord{4, "d", "d", true}));
}

}  // namespace
}  // namespace cdc
