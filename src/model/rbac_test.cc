#include "model/rbac.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

TEST(Rbac, AGroupIsTheSameGrantAsAPrivilegeOfItsName) {
  RbacGrant grant{"writer", "Collection", "default", "books", "Insert"};
  RbacGrant of_group = grant;
  of_group.group = true;
  EXPECT_EQ(grant, of_group);
  EXPECT_FALSE(grant < of_group || of_group < grant);
  of_group.database = "*";
  EXPECT_FALSE(grant == of_group);
}

TEST(Rbac, StepsAreToldWithoutTheirSecrets) {
  RbacStep step;
  step.name = "eve";
  step.role = "writer";
  step.grant = {"writer", "Collection", "default", "books", "Insert"};
  step.privileges = {"Query", "Search"};
  step.password = "secret-1";
  step.password_hash = "secret-2";
  step.old_passwords = {"secret-3"};
  for (int kind = 0; kind <= static_cast<int>(RbacStep::Kind::kDropGroup); ++kind) {
    step.kind = static_cast<RbacStep::Kind>(kind);
    const std::string text = ToString(step);
    EXPECT_GT(text.size(), 5U) << kind;
    EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  }
  step.kind = RbacStep::Kind::kGrant;
  EXPECT_EQ(ToString(step), "grant Insert on Collection default.books to role 'writer'");
  step.kind = RbacStep::Kind::kAddToGroup;
  EXPECT_EQ(ToString(step), "add Query, Search to privilege group 'eve'");
}

}  // namespace
}  // namespace cdc
