#include "pipeline/rbac_passwords.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cdc {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class RbacPasswordsTest : public testing::Test {
 protected:
  using Kind = CredentialOperation::Kind;

  void Take(Kind kind, const std::string& user, const std::string& password = "",
            const std::string& old = "") {
    Operation operation;
    operation.id = {0, ++last_};
    operation.credential = CredentialOperation{kind, user, password, old};
    passwords_.Take(operation, now_);
  }
  void TakeOther() {
    Operation operation;
    operation.id = {0, ++last_};
    passwords_.Take(operation, now_);
  }
  void Users(const std::map<std::string, std::string>& users) { passwords_.OnUsers(users, now_); }
  std::string Done() {
    const auto done = passwords_.done();
    return done ? ToString(*done) : "";
  }

  RbacPasswords passwords_;
  uint64_t last_ = 0;
  TimePoint now_{seconds(100)};
};

// A crash in between must read the operation again: nothing else tells the password.
TEST_F(RbacPasswordsTest, TheTopicIsNeededFromTheFirstPasswordThatIsNotSettled) {
  EXPECT_EQ(Done(), "");
  TakeOther();
  EXPECT_EQ(Done(), "after 1");
  Take(Kind::kCreate, "eve", "p1");
  Take(Kind::kCreate, "bob", "p2");
  TakeOther();
  EXPECT_EQ(Done(), "at 2");
  passwords_.Settle("eve", "p1");
  EXPECT_EQ(Done(), "at 3");
  passwords_.Settle("bob", "p2");
  EXPECT_EQ(Done(), "after 4");
}

TEST_F(RbacPasswordsTest, OneUsersPasswordsFollowOneAnother) {
  Take(Kind::kCreate, "eve", "p1");
  Take(Kind::kUpdate, "eve", "p2", "p1");
  Take(Kind::kUpdate, "eve", "p4", "p3");
  const RbacPasswords::Pending& eve = passwords_.pending().at("eve");
  EXPECT_EQ(eve.password, "p4");
  EXPECT_THAT(eve.old_passwords, ElementsAre("p1", "p2", "p3"));
  EXPECT_FALSE(eve.replaced);
  EXPECT_EQ(Done(), "at 1");
  passwords_.Settle("eve", "p4");
  EXPECT_EQ(Done(), "after 3");
  EXPECT_THAT(passwords_.pending(), IsEmpty());
}

// The call that set p1 was under way when p2 came.
TEST_F(RbacPasswordsTest, ANewerPasswordIsNotSettledByAnOlderOne) {
  Take(Kind::kCreate, "eve", "p1");
  Take(Kind::kUpdate, "eve", "p2", "p1");
  passwords_.Settle("eve", "p1");
  EXPECT_EQ(passwords_.pending().at("eve").password, "p2");
  EXPECT_EQ(Done(), "at 1");
}

TEST_F(RbacPasswordsTest, ADropForgetsThePassword) {
  Take(Kind::kCreate, "eve", "p1");
  Take(Kind::kDelete, "eve");
  EXPECT_THAT(passwords_.pending(), IsEmpty());
  EXPECT_EQ(Done(), "after 2");
  Take(Kind::kCreate, "eve", "p2");
  EXPECT_TRUE(passwords_.pending().at("eve").replaced);
  EXPECT_THAT(passwords_.pending().at("eve").old_passwords, IsEmpty());
}

TEST_F(RbacPasswordsTest, APasswordWithoutItsUserIsGivenUpAfterAWhile) {
  Take(Kind::kCreate, "eve", "p1");
  Take(Kind::kCreate, "bob", "p2");
  now_ += minutes(9);
  Users({{"bob", "h"}});
  EXPECT_EQ(passwords_.pending().size(), 2U);
  now_ += minutes(2);
  Users({{"bob", "h"}});
  EXPECT_EQ(passwords_.pending().size(), 1U);
  EXPECT_EQ(Done(), "at 2");
}

TEST_F(RbacPasswordsTest, AChangedHashWithoutAnOperationIsNoticed) {
  Users({{"eve", "h1"}, {"bob", "h1"}, {"new", ""}});
  EXPECT_THAT(passwords_.ChangedUnseen(now_ + minutes(5)), IsEmpty());
  Users({{"eve", "h2"}, {"bob", "h2"}, {"new", "h1"}});
  EXPECT_THAT(passwords_.ChangedUnseen(now_), IsEmpty());  // the operation may be under way
  now_ += seconds(30);
  Take(Kind::kUpdate, "bob", "p2", "p1");
  now_ += minutes(1);
  EXPECT_THAT(passwords_.ChangedUnseen(now_), ElementsAre("eve"));
  Users({{"bob", "h2"}});
  EXPECT_THAT(passwords_.ChangedUnseen(now_), IsEmpty());
}

TEST_F(RbacPasswordsTest, TheOperationMayComeBeforeTheHash) {
  Users({{"eve", "h1"}});
  Take(Kind::kUpdate, "eve", "p2", "p1");
  now_ += seconds(5);
  Users({{"eve", "h2"}});
  EXPECT_THAT(passwords_.ChangedUnseen(now_ + minutes(5)), IsEmpty());
  now_ += minutes(5);  // and this is another change
  Users({{"eve", "h3"}});
  EXPECT_THAT(passwords_.ChangedUnseen(now_ + minutes(5)), ElementsAre("eve"));
}

}  // namespace
}  // namespace cdc
