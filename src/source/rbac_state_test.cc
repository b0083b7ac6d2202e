#include "source/rbac_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace cdc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Key;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr char kPrefix[] = "by-dev/meta/";
constexpr char kCredential[] = "by-dev/meta/root-coord/credential/";

std::string Credential(const std::string& hash) {
  return "{\"encrypted_password\":\"" + hash + "\"}";
}

class RbacStateTest : public testing::Test {
 protected:
  void Put(const std::string& key, const std::string& value = "") {
    EXPECT_TRUE(state_.Put(kCredential + key, value)) << key;
  }
  void Delete(const std::string& key) { EXPECT_TRUE(state_.Delete(kCredential + key)) << key; }
  std::vector<std::string> Grants() {
    std::vector<std::string> texts;
    for (const RbacGrant& grant : state_.Catalog().grants) {
      texts.push_back(grant.role + ": " + ToString(grant));
    }
    return texts;
  }

  RbacState state_{kPrefix};
};

TEST_F(RbacStateTest, KeysOfOtherThingsAreNotTaken) {
  for (const char* key :
       {"by-dev/meta/root-coord/database/db-info/1", "by-dev/meta/root-coord/x",
        "by-dev/meta/root-coord/credential/users/", "by-dev/meta/root-coord/credential/users/a/b",
        "by-dev/meta/root-coord/credential/user-role-mapping/a",
        "by-dev/meta/root-coord/credential/grantee-privileges/r/Collection",
        "by-dev/meta/root-coord/credential/grantee-privileges/r//x",
        "by-dev2/meta/root-coord/credential/users/a", ""}) {
    EXPECT_FALSE(state_.Put(key, Credential("x"))) << key;
    EXPECT_FALSE(state_.Delete(key)) << key;
  }
  EXPECT_EQ(state_.Catalog(), RbacCatalog());
}

TEST_F(RbacStateTest, UsersRolesAndGrantsComeAndGo) {
  Put("users/eve", Credential("h1"));
  Put("roles/reader");
  Put("user-role-mapping/eve/reader");
  Put("grantee-privileges/reader/Collection/db1.books", "id1");
  Put("grantee-id/id1/PrivilegeQuery", "root");
  Put("grantee-id/id1/PrivilegeSearch", "root");
  RbacCatalog catalog = state_.Catalog();
  EXPECT_THAT(catalog.users, ElementsAre(Pair("eve", "h1")));
  EXPECT_THAT(catalog.roles, ElementsAre("reader"));
  EXPECT_THAT(catalog.bindings, ElementsAre(Pair("eve", "reader")));
  EXPECT_THAT(Grants(), ElementsAre("reader: Query on Collection db1.books",
                                    "reader: Search on Collection db1.books"));
  Delete("grantee-id/id1/PrivilegeQuery");
  EXPECT_THAT(Grants(), ElementsAre("reader: Search on Collection db1.books"));
  Delete("users/eve");
  Delete("roles/reader");
  Delete("grantee-id/id1/PrivilegeSearch");
  EXPECT_EQ(state_.Catalog(), RbacCatalog());
}

// Milvus 2.3 leaves the grants of a role behind when it drops the role.
TEST_F(RbacStateTest, WhatHangsOnNothingIsLeftOut) {
  Put("users/eve", Credential("h1"));
  Put("user-role-mapping/eve/gone");
  Put("user-role-mapping/gone/public");
  Put("grantee-privileges/gone/Global/*.*", "id1");
  Put("grantee-privileges/public/Global/*.*", "id1");
  Put("grantee-id/id1/*", "root");
  EXPECT_THAT(state_.Catalog().bindings, IsEmpty());
  EXPECT_THAT(Grants(), ElementsAre("public: * on Global *.*"));
  Put("roles/gone");
  EXPECT_THAT(Grants(), SizeIs(2));
}

// Before databases there were, names stood alone. Both kinds of key may stand for one grant.
TEST_F(RbacStateTest, ANameWithoutADatabaseIsInTheDefaultOne) {
  Put("roles/reader");
  Put("grantee-privileges/reader/Collection/books", "id1");
  Put("grantee-privileges/reader/Collection/default.books", "id2");
  Put("grantee-id/id1/PrivilegeQuery", "root");
  Put("grantee-id/id2/PrivilegeQuery", "root");
  EXPECT_THAT(Grants(), ElementsAre("reader: Query on Collection default.books"));
}

TEST_F(RbacStateTest, AnUnreadableUserIsThereWithoutAHash) {
  Put("users/eve", "no json, and a secret");
  EXPECT_THAT(state_.Catalog().users, ElementsAre(Pair("eve", "")));
  const std::vector<std::string> problems = state_.TakeProblems();
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_NE(problems[0].find("users/eve"), std::string::npos);
  EXPECT_EQ(problems[0].find("secret"), std::string::npos);
  Put("users/eve", Credential("h1"));
  Put("users/eve", "no json again");
  EXPECT_THAT(state_.Catalog().users, ElementsAre(Pair("eve", "h1")));
}

TEST_F(RbacStateTest, AListingBeginsAnew) {
  Put("users/eve", Credential("h1"));
  state_.Clear();
  EXPECT_EQ(state_.Catalog(), RbacCatalog());
}

// What real servers wrote for: a user u1 with role r1, which may Insert into default.alltypes and
// has privilege group pg1 on database db1; and of Milvus itself.
TEST_F(RbacStateTest, ReadsWhatRealServersWrote) {
  for (const std::string version : {"2.4.21", "2.5.15"}) {
    SCOPED_TRACE(version);
    const auto path = std::filesystem::path(__FILE__).parent_path() / "../../tests/golden/etcd" /
                      (version + "-rbac.txt");
    std::ifstream file(path);
    ASSERT_TRUE(file.is_open()) << path;
    RbacState state(version == "2.4.21" ? "by-m24/meta/" : "by-dev/meta/");
    std::string line;
    while (std::getline(file, line)) {
      if (line.starts_with('#')) continue;
      std::istringstream words(line);
      std::string kind, revision, key, hex, value;
      words >> kind >> revision >> key >> hex;
      for (size_t i = 0; hex != "-" && i + 1 < hex.size(); i += 2) {
        value.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
      }
      EXPECT_TRUE(state.Put(key, value)) << key;
    }
    EXPECT_THAT(state.TakeProblems(), IsEmpty());
    const RbacCatalog catalog = state.Catalog();
    EXPECT_THAT(catalog.users, UnorderedElementsAre(Key("root"), Key("u1")));
    EXPECT_TRUE(catalog.users.at("u1").starts_with("$2a$"));
    EXPECT_EQ(catalog.users.at("u1").size(), 60U);
    EXPECT_THAT(catalog.roles, ElementsAre("admin", "public", "r1"));
    EXPECT_THAT(catalog.bindings, ElementsAre(Pair("u1", "r1")));
    EXPECT_THAT(catalog.groups, ElementsAre(Pair("pg1", ElementsAre("Query", "Search"))));
    std::vector<std::string> grants;
    for (const RbacGrant& grant : catalog.grants) {
      grants.push_back(grant.role + ": " + ToString(grant) + (grant.group ? " (group)" : ""));
    }
    EXPECT_THAT(grants, ElementsAre("public: IndexDetail on Collection *.*",
                                    "public: DescribeCollection on Global *.*",
                                    "public: ListAliases on Global *.*",
                                    "r1: Insert on Collection default.alltypes",
                                    "r1: pg1 on Global db1.* (group)"));
  }
}

}  // namespace
}  // namespace cdc
