#include "pipeline/rbac_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/rbac_follower_test.h"

namespace cdc {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

TEST_F(RbacFollowerTest, AUserComesWithItsRoleItsGrantsAndTheToldPassword) {
  Begin();
  Tell(kCreate, "eve", "p1");
  RbacCatalog source = Source({{"eve", "hash"}});
  source.roles.insert("reader");
  source.bindings = {{"eve", "reader"}};
  source.grants = {Grant("reader", "Query")};
  Say(source);
  EXPECT_THAT(target_.TakeApplied(),
              ElementsAre("create role 'reader'", "create user 'eve'",
                          "grant Query on Collection default.books to role 'reader'",
                          "give role 'reader' to user 'eve'"));
  EXPECT_EQ(target_.passwords["eve"], "p1");
  EXPECT_EQ(trouble_, "");
  EXPECT_EQ(ToString(*follower_->operations_done()), "after 1");

  Say(Source());
  EXPECT_THAT(target_.TakeApplied(),
              ElementsAre("take role 'reader' from user 'eve'",
                          "revoke Query on Collection default.books from role 'reader'",
                          "drop user 'eve'", "drop role 'reader'"));
  EXPECT_EQ(follower_->known().users, (std::map<std::string, std::string>{}));
}

TEST_F(RbacFollowerTest, WhatIsEqualIsLookedAtOnceAMinute) {
  Begin();
  Say(Source());
  EXPECT_EQ(target_.lists, 1);
  executor_.Run(seconds(59));
  EXPECT_EQ(target_.lists, 1);
  target_.has.users.erase("root");  // somebody else's doing, and none of ours
  executor_.Run(minutes(10));
  EXPECT_EQ(target_.lists, 11);
  EXPECT_THAT(target_.applied, IsEmpty());
}

TEST_F(RbacFollowerTest, WhatSomebodyTookAwayAtTheTargetComesBack) {
  Begin();
  RbacCatalog source = Source();
  source.roles.insert("reader");
  source.grants = {Grant("reader", "Query")};
  Say(source);
  target_.has.grants.clear();
  (void)target_.TakeApplied();
  executor_.Run(minutes(1));
  EXPECT_THAT(target_.TakeApplied(),
              ElementsAre("grant Query on Collection default.books to role 'reader'"));
}

TEST_F(RbacFollowerTest, ForeignUsersAndRolesOfTheTargetStay) {
  target_.AddUser("local", "x");
  target_.has.roles.insert("local");
  target_.has.bindings.emplace("local", "local");
  target_.has.grants.insert(Grant("local", "Query"));
  target_.has.grants.insert(Grant("public", "Query"));
  Begin();
  Say(Source());
  RbacCatalog source = Source();
  source.roles.insert("reader");
  Say(source);
  Say(Source());
  EXPECT_THAT(target_.TakeApplied(), ElementsAre("create role 'reader'", "drop role 'reader'"));
}

// The same name on both sides: from then on it is the source's.
TEST_F(RbacFollowerTest, AUserOfBothSidesGoesWithTheSources) {
  target_.AddUser("eve", "x");
  Begin();
  Say(Source({{"eve", "hash"}}));
  EXPECT_THAT(target_.applied, IsEmpty());
  Say(Source());
  EXPECT_THAT(target_.TakeApplied(), ElementsAre("drop user 'eve'"));
}

TEST_F(RbacFollowerTest, RootAndOurOwnUserAreNeverTouched) {
  target_.AddUser("cdc", "ours");
  options_.untouched.insert("cdc");
  RbacCatalog known;
  known.users = {{"root", ""}, {"cdc", ""}};
  known.bindings = {{"cdc", "admin"}};
  target_.has.bindings = {{"cdc", "admin"}};
  Begin(known);
  Tell(kCreate, "cdc", "another");
  Tell(kUpdate, "root", "new", "old");
  RbacCatalog source = Source({{"cdc", "hash"}});
  source.bindings = {{"cdc", "public"}, {"root", "public"}};
  Say(source);
  Say(Source());
  EXPECT_THAT(target_.applied, IsEmpty());
  EXPECT_EQ(ToString(*follower_->operations_done()), "after 2");
}

// The task was not running when the source dropped it.
TEST_F(RbacFollowerTest, WhatAnEarlierLifeMadeIsTakenAway) {
  RbacCatalog known;
  known.roles = {"reader"};
  target_.has.roles.insert("reader");
  Begin(known);
  Say(Source());
  EXPECT_THAT(target_.TakeApplied(), ElementsAre("drop role 'reader'"));
}

TEST_F(RbacFollowerTest, AUserDroppedWhileTheTaskIsPausedIsDroppedWhenItGoesOn) {
  Begin();
  Tell(kCreate, "eve", "p1");
  Say(Source({{"eve", "hash"}}));
  EXPECT_EQ(applied_before_write_, 0u);  // known before it is made
  EXPECT_EQ(remembered_.users, (std::map<std::string, std::string>{{"eve", ""}}));
  (void)target_.TakeApplied();
  follower_.reset();

  target_.AddUser("local", "x");
  Begin(remembered_);
  Say(Source());
  EXPECT_THAT(target_.TakeApplied(), ElementsAre("drop user 'eve'"));
  EXPECT_TRUE(target_.has.users.contains("local"));
  EXPECT_TRUE(remembered_.users.empty());
}

TEST_F(RbacFollowerTest, NothingIsMadeThatCannotBeRemembered) {
  store_error_ = RetryError("the store is away", ErrorKind::kUnavailable);
  Begin();
  RbacCatalog source = Source();
  source.roles.insert("reader");
  Say(source);
  EXPECT_THAT(target_.applied, IsEmpty());
  EXPECT_THAT(trouble_, HasSubstr("the store is away"));
  store_error_.reset();
  executor_.Run(seconds(31));
  EXPECT_THAT(target_.TakeApplied(), ElementsAre("create role 'reader'"));
  EXPECT_EQ(trouble_, "");
}

TEST_F(RbacFollowerTest, WithDropsOnHoldOnlyWhatTheyMayDoIsTaken) {
  options_.drops = DropPolicy::kHold;
  Begin();
  Tell(kCreate, "eve", "p1");
  RbacCatalog source = Source({{"eve", "hash"}});
  source.roles.insert("reader");
  source.bindings = {{"eve", "reader"}};
  source.grants = {Grant("reader", "Query")};
  Say(source);
  (void)target_.TakeApplied();
  Say(Source());
  EXPECT_THAT(target_.TakeApplied(),
              ElementsAre("take role 'reader' from user 'eve'",
                          "revoke Query on Collection default.books from role 'reader'"));
  EXPECT_EQ(trouble_, "");
}

// ---- passwords --------------------------------------------------------------------------------

TEST_F(RbacFollowerTest, WithoutAPasswordTheHashIsTakenOver) {
  Begin();
  Say(Source({{"eve", "hash"}}));
  EXPECT_EQ(target_.passwords["eve"], "of hash");
  EXPECT_EQ(trouble_, "");
}

TEST_F(RbacFollowerTest, AUserThatCannotBeMadeIsReportedByName) {
  target_.takes_hashes = false;
  Begin();
  RbacCatalog source = Source({{"bob", ""}, {"eve", "hash"}});
  source.roles.insert("reader");
  source.bindings = {{"bob", "reader"}, {"eve", "reader"}};
  Say(source);
  // The message may be on its way: nothing is said for a while, and the rest is done.
  EXPECT_TRUE(target_.has.roles.contains("reader"));
  EXPECT_EQ(trouble_, "");
  executor_.Run(seconds(11));
  EXPECT_THAT(trouble_,
              AllOf(HasSubstr("'bob', 'eve'"), HasSubstr("same password"), Not(HasSubstr("hash"))));

  target_.AddUser("bob", "by hand");  // what the text asks for, one way
  Tell(kUpdate, "eve", "p2", "p1");   // and the other
  executor_.Run(minutes(1));
  EXPECT_EQ(trouble_, "");
  EXPECT_EQ(target_.passwords["eve"], "p2");
  EXPECT_THAT(target_.has.bindings, ElementsAre(Pair("bob", "reader"), Pair("eve", "reader")));
}

TEST_F(RbacFollowerTest, AChangedPasswordIsChangedThere) {
  Begin();
  Tell(kCreate, "eve", "p1");
  Say(Source({{"eve", "hash"}}));
  Tell(kUpdate, "eve", "p2", "p1");
  EXPECT_EQ(target_.passwords["eve"], "p2");
  EXPECT_EQ(ToString(*follower_->operations_done()), "after 2");
  // After a crash both operations come again.
  Tell(kCreate, "eve", "p1");
  Tell(kUpdate, "eve", "p2", "p1");
  EXPECT_EQ(target_.passwords["eve"], "p2");
  EXPECT_EQ(trouble_, "");
}

TEST_F(RbacFollowerTest, AUserWithAnotherPasswordThereIsReported) {
  target_.AddUser("eve", "by hand");
  Begin();
  Say(Source({{"eve", "hash"}}));
  Tell(kUpdate, "eve", "secret-2", "secret-1");
  EXPECT_EQ(target_.passwords["eve"], "by hand");
  EXPECT_THAT(trouble_,
              AllOf(HasSubstr("user 'eve'"), HasSubstr("by hand"), Not(HasSubstr("secret"))));
  EXPECT_EQ(ToString(*follower_->operations_done()), "after 1");
  target_.passwords["eve"] = "secret-2";
  Tell(kUpdate, "eve", "secret-3", "secret-2");
  EXPECT_EQ(target_.passwords["eve"], "secret-3");
  EXPECT_EQ(trouble_, "");
}

// The old password must not open the target any more.
TEST_F(RbacFollowerTest, AUserDroppedAndMadeAgainIsMadeAgainThere) {
  Begin();
  Tell(kCreate, "eve", "p1");
  RbacCatalog source = Source({{"eve", "h1"}});
  source.bindings = {{"eve", "public"}};
  Say(source);
  (void)target_.TakeApplied();
  Tell(kDelete, "eve");
  Tell(kCreate, "eve", "p2");  // etcd was only seen before and after
  source.users["eve"] = "h2";
  Say(source);
  EXPECT_EQ(target_.passwords["eve"], "p2");
  EXPECT_THAT(target_.has.bindings, ElementsAre(Pair("eve", "public")));
  EXPECT_EQ(trouble_, "");
}

TEST_F(RbacFollowerTest, APasswordChangedInSilenceIsReported) {
  Begin();
  target_.AddUser("eve", "p1");
  Say(Source({{"eve", "h1"}}));
  Say(Source({{"eve", "h2"}}));
  EXPECT_EQ(trouble_, "");
  executor_.Run(minutes(2));
  EXPECT_THAT(trouble_, AllOf(HasSubstr("'eve'"), HasSubstr("did not tell")));
  Tell(kUpdate, "eve", "p2", "p1");
  EXPECT_EQ(trouble_, "");
}

TEST_F(RbacFollowerTest, ALostPositionOfTheTopicDoesNotStopIt) {
  options_.operations = {LogPosition::Kind::kAfter, {0, 5}};
  Begin();
  Say(Source());
  topic_.Fail(FatalError("message 5 is gone", ErrorKind::kPositionGone));
  executor_.Run();
  EXPECT_THAT(trouble_, HasSubstr("message 5 is gone"));
  executor_.Run(seconds(1));
  EXPECT_THAT(topic_.opened, ElementsAre("after 5", "earliest"));
  Tell(kCreate, "eve", "p1");
  Say(Source({{"eve", "hash"}}));
  EXPECT_EQ(target_.passwords["eve"], "p1");
  // A password that was changed in the gap shows nowhere else.
  EXPECT_THAT(trouble_, AllOf(HasSubstr("change them once more"), HasSubstr("message 5 is gone")));
}

// ---- trouble ----------------------------------------------------------------------------------

TEST_F(RbacFollowerTest, ATargetThatIsAwayIsTriedMoreAndMoreRarely) {
  target_.list_error = RetryError("nobody answers", ErrorKind::kUnavailable);
  Begin();
  RbacCatalog source = Source();
  source.roles.insert("reader");
  Say(source);
  EXPECT_EQ(trouble_, "nobody answers");
  executor_.Run(minutes(5));
  // 0.5 + 1 + ... + 16 s are 6 tries; then one every 30 s.
  EXPECT_GE(target_.lists, 12);
  EXPECT_LE(target_.lists, 18);
  target_.list_error.reset();
  executor_.Run(seconds(31));
  EXPECT_EQ(trouble_, "");
  EXPECT_TRUE(target_.has.roles.contains("reader"));
}

TEST_F(RbacFollowerTest, ARefusedStepDoesNotHoldUpTheOthers) {
  target_.fault = [](const RbacStep& step) -> std::optional<Error> {
    if (step.kind != RbacStep::Kind::kGrant || step.grant.privilege != "Fancy") return {};
    return FatalError("not found the privilege name[Fancy]");
  };
  Begin();
  RbacCatalog source = Source();
  source.roles.insert("reader");
  source.grants = {Grant("reader", "Fancy"), Grant("reader", "Query")};
  Say(source);
  EXPECT_THAT(target_.has.grants, ElementsAre(Grant("reader", "Query")));
  EXPECT_EQ(trouble_,
            "grant Fancy on Collection default.books to role 'reader': not found the privilege "
            "name[Fancy]");
  target_.fault = nullptr;
  executor_.Run(minutes(1));
  EXPECT_EQ(trouble_, "");
  EXPECT_EQ(target_.has.grants.size(), 2U);
}

TEST_F(RbacFollowerTest, ATargetThatForgetsAtOnceIsNotAskedForEver) {
  target_.fault = [this](const RbacStep&) -> std::optional<Error> {
    executor_.Post([this] { target_.has.roles.erase("reader"); });
    return {};
  };
  Begin();
  RbacCatalog source = Source();
  source.roles.insert("reader");
  Say(source);
  EXPECT_LE(target_.lists, 10);
  EXPECT_THAT(trouble_, HasSubstr("does not keep what was done: create role 'reader'"));
}

TEST_F(RbacFollowerTest, PrivilegeGroupsThatTheTargetCannotHaveAreReported) {
  target_.has_groups = false;
  Begin();
  RbacCatalog source = Source();
  source.roles.insert("reader");
  source.groups = {{"readers", {"Query"}}};
  source.grants = {{"reader", kGlobalObject, "*", "*", "readers", true}};
  Say(source);
  EXPECT_THAT(target_.TakeApplied(), ElementsAre("create role 'reader'"));
  EXPECT_THAT(trouble_, HasSubstr("privilege groups"));
}

// What was wiped, or is another's, must not empty the target.
TEST_F(RbacFollowerTest, ASourceThatIsNotTheSameIsNotFollowed) {
  Begin();
  RbacCatalog source = Source();
  source.roles.insert("reader");
  Say(source);
  (void)target_.TakeApplied();
  Say(RbacCatalog());
  EXPECT_THAT(trouble_, HasSubstr("no user 'root'"));
  cluster_ = 8;
  Say(Source());
  EXPECT_THAT(trouble_, HasSubstr("is not the one that it was"));
  cluster_ = 7;
  revision_ = 3;
  Say(Source());
  EXPECT_THAT(trouble_, HasSubstr("is not the one that it was"));
  executor_.Run(minutes(2));
  EXPECT_THAT(target_.applied, IsEmpty());
  revision_ = 50;
  Say(source);
  EXPECT_EQ(trouble_, "");
}

// What a task hears first may be older than what its catalog was last seen at: only the cluster
// says whose it is.
TEST_F(RbacFollowerTest, AnotherClusterThanTheTaskKnowsIsNotFollowed) {
  options_.source_cluster = 7;
  Begin();
  RbacCatalog source = Source();
  source.roles.insert("reader");
  cluster_ = 8;
  Say(source);
  EXPECT_THAT(trouble_, HasSubstr("is not the one that it was"));
  EXPECT_EQ(target_.lists, 0);
  cluster_ = 7;
  revision_ = 0;
  Say(source);
  EXPECT_THAT(target_.TakeApplied(), ElementsAre("create role 'reader'"));
  EXPECT_EQ(trouble_, "");
}

TEST_F(RbacFollowerTest, NothingIsBegunAfterTheEnd) {
  Begin();
  follower_->Halt();
  RbacCatalog source = Source();
  source.roles.insert("reader");
  Say(source);
  executor_.Run(minutes(5));
  EXPECT_EQ(target_.lists, 0);
}

}  // namespace
}  // namespace cdc
