// An RbacFollower between a source that says what the test wants and a FakeRbacTarget. For the unit
// tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/manual_executor_test.h"
#include "pipeline/rbac_follower.h"
#include "pipeline/rbac_target_test.h"

namespace cdc {

class FakeRbacFeed final : public RbacFeed {
 public:
  explicit FakeRbacFeed(Callback<RbacUpdate>* told) : told_(told) {}
  void Start(Callback<RbacUpdate> on_update) override { *told_ = std::move(on_update); }

 private:
  Callback<RbacUpdate>* const told_;
};

// The operation topic, which ends where the test has got to.
class FakeTopic final : public OperationSource {
 public:
  explicit FakeTopic(Executor* executor) : executor_(executor) {}

  std::unique_ptr<OperationReader> Open(LogPosition from) override {
    opened.push_back(ToString(from));
    return std::make_unique<Reader>(this);
  }
  void Write(Operation operation) {
    ready_.push_back(std::move(operation));
    Deliver();
  }
  void Fail(const Error& error) {
    error_ = error;
    Deliver();
  }
  std::vector<std::string> opened;

 private:
  class Reader final : public OperationReader {
   public:
    explicit Reader(FakeTopic* topic) : topic_(topic) {}
    void Read(Callback<Result<std::vector<Operation>>> done) override {
      topic_->waiting_ = std::move(done);
      topic_->Deliver();
    }

   private:
    FakeTopic* const topic_;
  };

  void Deliver() {
    if (!waiting_ || (ready_.empty() && !error_)) return;
    Result<std::vector<Operation>> read = std::exchange(ready_, {});
    if (error_) read = *std::exchange(error_, std::nullopt);
    executor_->Post([done = std::exchange(waiting_, nullptr), read] { done(read); });
  }

  Executor* const executor_;
  std::vector<Operation> ready_;
  std::optional<Error> error_;
  Callback<Result<std::vector<Operation>>> waiting_;
};

class RbacFollowerTest : public testing::Test {
 protected:
  void Begin(RbacCatalog known = {}) {
    RbacFollower::Ports ports;
    ports.feed = std::make_unique<FakeRbacFeed>(&feed_);
    ports.operations = &topic_;
    ports.admin = &target_;
    ports.remember = [this](const RbacCatalog& known, Callback<Status> done) {
      applied_before_write_ = target_.applied.size();
      if (!store_error_) remembered_ = known;
      executor_.Post([done = std::move(done), error = store_error_] {
        done(error ? Status(*error) : OkStatus());
      });
    };
    follower_ = std::make_unique<RbacFollower>(
        options_, std::move(known), &executor_, std::move(ports),
        [this](const Error* error) { trouble_ = error == nullptr ? "" : error->message; });
    follower_->Start();
  }
  // The source says what it has now.
  void Say(const RbacCatalog& catalog) {
    executor_.Post([this, update = RbacUpdate{cluster_, ++revision_, catalog}] { feed_(update); });
    executor_.Run();
  }
  void Tell(CredentialOperation::Kind kind, const std::string& user,
            const std::string& password = "", const std::string& old = "") {
    Operation operation;
    operation.id = {0, ++last_};
    operation.credential = CredentialOperation{kind, user, password, old};
    topic_.Write(std::move(operation));
    executor_.Run();
  }
  // A Milvus as it begins, with these users.
  static RbacCatalog Source(const std::map<std::string, std::string>& users = {}) {
    RbacCatalog source;
    source.users = users;
    source.users.emplace("root", "root's hash");
    source.roles = {"admin", "public"};
    return source;
  }
  static RbacGrant Grant(const std::string& role, const std::string& privilege) {
    return {role, kCollectionObject, "default", "books", privilege};
  }

  static constexpr auto kCreate = CredentialOperation::Kind::kCreate;
  static constexpr auto kUpdate = CredentialOperation::Kind::kUpdate;
  static constexpr auto kDelete = CredentialOperation::Kind::kDelete;

  ManualExecutor executor_;
  FakeRbacTarget target_{&executor_};
  FakeTopic topic_{&executor_};
  RbacFollower::Options options_;
  std::unique_ptr<RbacFollower> follower_;
  Callback<RbacUpdate> feed_;
  std::string trouble_;
  RbacCatalog remembered_;
  std::optional<Error> store_error_;
  size_t applied_before_write_ = 0;
  uint64_t cluster_ = 7;
  int64_t revision_ = 10;
  uint64_t last_ = 0;
};

}  // namespace cdc
