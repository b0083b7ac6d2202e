// From any state to any other, at a target that fails now and then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "pipeline/rbac_follower_test.h"

namespace cdc {
namespace {

using std::chrono::minutes;
using testing::IsEmpty;

// A source and a target with some of the same few names; the target fails now and then.
class RbacConvergence : public RbacFollowerTest, public testing::WithParamInterface<unsigned> {
 protected:
  bool Chance(int percent) { return static_cast<int>(random_() % 100) < percent; }

  RbacCatalog Some(const std::vector<std::string>& names) {
    RbacCatalog some = Source();
    for (const std::string& name : names) {
      if (Chance(50)) some.users.emplace(name, "hash of " + name);
      if (Chance(50)) some.roles.insert(name);
      if (Chance(50)) some.groups[name] = {Chance(50) ? "Query" : "Search", "Insert"};
    }
    for (const auto& [user, hash] : some.users) {
      for (const std::string& role : some.roles) {
        if (user != "root" && Chance(30)) some.bindings.emplace(user, role);
      }
    }
    for (const std::string& role : some.roles) {
      if (Chance(50)) some.grants.insert(Grant(role, "Query"));
      if (Chance(50)) some.grants.insert(Grant(role, "Insert"));
      for (const auto& [group, privileges] : some.groups) {
        if (Chance(30)) some.grants.insert({role, kGlobalObject, "*", "*", group, true});
      }
    }
    return some;
  }

  std::mt19937 random_{GetParam()};
};

RbacCatalog WithoutHashes(RbacCatalog catalog) {
  for (auto& [user, hash] : catalog.users) hash.clear();
  return catalog;
}

TEST_P(RbacConvergence, TheTargetBecomesTheSourceAndKeepsWhatIsItsOwn) {
  RbacCatalog own = WithoutHashes(Some({"x", "y"}));
  for (const char* name : {"a", "b", "c"}) {  // names that the source may have as well
    if (Chance(30)) own.users.emplace(name, "");
    if (Chance(30)) own.roles.insert(name);
    if (Chance(30)) own.groups[name] = {"Load"};
    if (own.users.contains(name)) own.bindings.emplace(name, "public");
  }
  target_.has = own;
  RbacCatalog seen;  // all that the source ever had
  target_.fault = [this](const RbacStep&) -> std::optional<Error> {
    if (!Chance(20)) return {};
    return RetryError("not now", Chance(50) ? ErrorKind::kUnavailable : ErrorKind::kOther);
  };
  Begin();
  RbacCatalog source;
  for (int change = 0; change < 8; ++change) {
    source = Some({"a", "b", "c"});
    RememberRbac(source, &seen);
    Say(source);
    executor_.Run(std::chrono::milliseconds(random_() % 3000));
  }
  executor_.Run(minutes(3));
  target_.fault = nullptr;
  executor_.Run(minutes(3));
  EXPECT_EQ(trouble_, "");

  // The target's own: what it had and the source never did, as far as it hangs on something.
  RbacCatalog expected = WithoutHashes(source);
  const auto keep = [](const auto& had, const auto& ever, auto* all) {
    for (const auto& item : had) {
      if (!ever.contains(item)) all->insert(item);
    }
  };
  keep(own.roles, seen.roles, &expected.roles);
  for (const auto& [user, hash] : own.users) {
    if (!seen.users.contains(user)) expected.users.emplace(user, "");
  }
  EXPECT_EQ(target_.has.users, expected.users);
  EXPECT_EQ(target_.has.roles, expected.roles);
  for (const auto& binding : source.bindings) {
    EXPECT_TRUE(target_.has.bindings.contains(binding)) << binding.first << " " << binding.second;
  }
  for (const auto& binding : target_.has.bindings) {
    EXPECT_TRUE(source.bindings.contains(binding) || !seen.bindings.contains(binding));
  }
  for (const RbacGrant& grant : source.grants) {
    EXPECT_TRUE(target_.has.grants.contains(grant)) << grant.role << ": " << ToString(grant);
  }
  for (const RbacGrant& grant : target_.has.grants) {
    EXPECT_TRUE(source.grants.contains(grant) || !seen.grants.contains(grant));
  }
  for (const auto& [group, privileges] : source.groups) {
    ASSERT_TRUE(target_.has.groups.contains(group)) << group;
    for (const std::string& privilege : privileges) {
      EXPECT_TRUE(target_.has.groups[group].contains(privilege)) << group << " " << privilege;
    }
  }
  const int lists = target_.lists;
  (void)target_.TakeApplied();
  executor_.Run(minutes(2));
  EXPECT_EQ(target_.lists, lists + 2);
  EXPECT_THAT(target_.applied, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Seeds, RbacConvergence, testing::Range(0U, 200U));

}  // namespace
}  // namespace cdc
