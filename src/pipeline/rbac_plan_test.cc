#include "pipeline/rbac_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cdc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

std::vector<std::string> Texts(const std::vector<RbacStep>& steps) {
  std::vector<std::string> texts;
  for (const RbacStep& step : steps) texts.push_back(ToString(step));
  return texts;
}

RbacGrant Grant(const std::string& role, const std::string& privilege, const std::string& database,
                const std::string& name, const std::string& object = kCollectionObject) {
  return {role, object, database, name, privilege};
}

RbacGrant OfGroup(const std::string& role, const std::string& group) {
  return {role, kGlobalObject, "*", "*", group, true};
}

// One of everything.
RbacCatalog Everything() {
  RbacCatalog all;
  all.users = {{"eve", "hash"}};
  all.roles = {"admin", "public", "reader"};
  all.bindings = {{"eve", "reader"}};
  all.groups = {{"readers", {"Query", "Search"}}};
  all.grants = {Grant("reader", "Insert", "db", "books"), OfGroup("reader", "readers")};
  return all;
}

TargetRbac Empty() {
  TargetRbac has;
  has.catalog.users = {{"root", ""}};
  has.catalog.roles = {"admin", "public"};
  has.has_groups = true;
  return has;
}

TEST(RbacPlan, WhatIsNamedComesBeforeWhatNamesIt) {
  EXPECT_THAT(
      Texts(PlanRbac(Everything(), Empty(), {})),
      ElementsAre("create privilege group 'readers'",
                  "add Query, Search to privilege group 'readers'", "create role 'reader'",
                  "create user 'eve'", "grant Insert on Collection db.books to role 'reader'",
                  "grant readers on Global *.* to role 'reader'",
                  "give role 'reader' to user 'eve'"));
}

TEST(RbacPlan, WhatNamesSomethingIsTakenAwayBeforeIt) {
  TargetRbac has = Empty();
  has.catalog = Everything();
  EXPECT_THAT(Texts(PlanRbac({}, has, Everything())),
              ElementsAre("take role 'reader' from user 'eve'",
                          "revoke Insert on Collection db.books from role 'reader'",
                          "revoke readers on Global *.* from role 'reader'", "drop user 'eve'",
                          "drop role 'reader'", "drop privilege group 'readers'"));
}

TEST(RbacPlan, NothingIsDoneWhenBothAreEqual) {
  TargetRbac has = Empty();
  has.catalog = Everything();
  EXPECT_THAT(PlanRbac(Everything(), has, Everything()), IsEmpty());
}

TEST(RbacPlan, WhatTheSourceNeverHadStays) {
  TargetRbac has = Empty();
  has.catalog = Everything();
  has.catalog.users.emplace("local", "");
  has.catalog.roles.insert("local");
  has.catalog.bindings.insert({{"local", "local"}, {"eve", "local"}});
  has.catalog.grants.insert(Grant("reader", "Delete", "db", "books"));
  has.catalog.groups["readers"].insert("Flush");
  has.catalog.groups["local"] = {"Query"};
  EXPECT_THAT(PlanRbac(Everything(), has, Everything()), IsEmpty());
}

TEST(RbacPlan, BuiltInRolesAreNeitherMadeNorDropped) {
  TargetRbac has = Empty();
  has.catalog.roles.clear();
  RbacCatalog wanted;
  wanted.roles = {"admin", "public"};
  EXPECT_THAT(PlanRbac(wanted, has, wanted), IsEmpty());
  has.catalog.roles = wanted.roles;
  EXPECT_THAT(PlanRbac({}, has, wanted), IsEmpty());
}

TEST(RbacPlan, APrivilegeGroupIsMadeEqualWithoutMakingItAnew) {
  TargetRbac has = Empty();
  has.catalog = Everything();
  has.catalog.groups["readers"] = {"Load", "Query"};
  RbacCatalog known = Everything();
  known.groups["readers"].insert("Load");
  EXPECT_THAT(Texts(PlanRbac(Everything(), has, known)),
              ElementsAre("add Search to privilege group 'readers'",
                          "remove Load from privilege group 'readers'"));
}

TEST(RbacPlan, ATargetWithoutPrivilegeGroupsGetsTheRest) {
  TargetRbac has = Empty();
  has.has_groups = false;
  EXPECT_THAT(Texts(PlanRbac(Everything(), has, {})),
              ElementsAre("create role 'reader'", "create user 'eve'",
                          "grant Insert on Collection db.books to role 'reader'",
                          "give role 'reader' to user 'eve'"));
}

TEST(RbacPlan, NamesInGrantsGoByTheMappingOfTheTask) {
  Selection selection;
  selection.mappings = {{"db", "copy", {{"books", "volumes"}}}, {"db", "rest", {}}};
  RbacCatalog source;
  source.grants = {Grant("r", "Query", "db", "books"),
                   Grant("r", "Query", "db", "maps"),
                   Grant("r", "Query", "db", "*"),
                   Grant("r", "Query", "*", "*"),
                   Grant("r", "Query", "other", "books"),
                   Grant("r", "CreateCollection", "db", "*", kGlobalObject),
                   Grant("r", "UpdateUser", "db", "books", "User")};
  std::vector<std::string> texts;
  for (const RbacGrant& grant : WantedRbac(source, selection, {}).grants) {
    texts.push_back(ToString(grant));
  }
  EXPECT_THAT(texts,
              ElementsAre("Query on Collection *.*", "Query on Collection copy.volumes",
                          "Query on Collection other.books", "Query on Collection rest.*",
                          "Query on Collection rest.maps", "CreateCollection on Global rest.*",
                          "UpdateUser on User db.books"));
}

// Two databases that become one: the grant stays until neither is there.
TEST(RbacPlan, TwoGrantsMayBecomeOne) {
  Selection selection;
  selection.mappings = {{"a", "both", {}}, {"b", "both", {}}};
  RbacCatalog source;
  source.grants = {Grant("r", "Query", "a", "*"), Grant("r", "Query", "b", "*")};
  const RbacCatalog before = WantedRbac(source, selection, {});
  EXPECT_EQ(before.grants.size(), 1U);
  source.grants.erase(source.grants.begin());
  TargetRbac has = Empty();
  has.catalog.grants = before.grants;
  EXPECT_THAT(PlanRbac(WantedRbac(source, selection, {}), has, before), IsEmpty());
}

TEST(RbacPlan, UntouchedUsersAreLeftOutWithTheirRoles) {
  RbacCatalog source = Everything();
  source.users.emplace("root", "hash");
  source.users.emplace("cdc", "hash");
  source.bindings.insert({{"root", "reader"}, {"cdc", "reader"}});
  EXPECT_EQ(WantedRbac(source, {}, {"root", "cdc"}), Everything());
}

TEST(RbacPlan, WhatIsGoneOnBothSidesIsForgotten) {
  RbacCatalog known;
  RememberRbac(Everything(), &known);
  EXPECT_THAT(known.users, ElementsAre(Pair("eve", "")));  // without the hash
  RbacCatalog all = Everything();
  all.users = known.users;
  EXPECT_EQ(known, all);
  ForgetRbac(Everything(), {}, &known);
  EXPECT_EQ(known, all);
  ForgetRbac({}, Everything(), &known);
  EXPECT_EQ(known, all);
  ForgetRbac({}, {}, &known);
  EXPECT_EQ(known, RbacCatalog());
}

TEST(RbacPlan, GrantsAreAskedForWhereTheyMayBe) {
  RbacCatalog known;
  known.grants = {Grant("old", "Query", "db2", "*")};
  const RbacScope scope = ScopeOf(Everything(), known);
  EXPECT_THAT(scope, ElementsAre(Pair("admin", IsEmpty()), Pair("old", ElementsAre("db2")),
                                 Pair("public", IsEmpty()), Pair("reader", ElementsAre("db"))));
}

}  // namespace
}  // namespace cdc
