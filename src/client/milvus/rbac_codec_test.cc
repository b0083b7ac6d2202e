#include "client/milvus/rbac_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cdc {
namespace {

using testing::ElementsAre;

TEST(RbacCodec, TheHashIsInAUsersJson) {
  const auto hash = DecodePasswordHash(R"({"encrypted_password":"$2a$04$abc","tenant":""})");
  ASSERT_TRUE(hash.ok());
  EXPECT_EQ(*hash, "$2a$04$abc");
}

TEST(RbacCodec, AUserThatIsNoneIsCorruptAndNotQuoted) {
  for (const char* value : {"", "secret", "[\"secret\"]", R"({"password":"secret"})",
                            R"({"encrypted_password":17})", R"({"encrypted_password":"secret)"}) {
    const auto hash = DecodePasswordHash(value);
    ASSERT_FALSE(hash.ok()) << value;
    EXPECT_EQ(hash.error().disposition, Disposition::kCorrupt);
    EXPECT_EQ(hash.error().message.find("secret"), std::string::npos);
  }
}

TEST(RbacCodec, AGroupHasItsPrivileges) {
  // As Milvus 2.5.15 wrote it.
  const std::string value("\x0a\x03pg1\x12\x08\x0a\x06Search\x12\x07\x0a\x05Query", 24);
  const auto group = DecodePrivilegeGroup(value);
  ASSERT_TRUE(group.ok());
  EXPECT_EQ(group->name, "pg1");
  EXPECT_THAT(group->privileges, ElementsAre("Query", "Search"));
  EXPECT_FALSE(DecodePrivilegeGroup(value.substr(0, 20)).ok());
  EXPECT_FALSE(DecodePrivilegeGroup("").ok());
}

TEST(RbacCodec, PrivilegesHaveTheNamesOfTheApi) {
  const auto told = [](std::string_view stored) {
    const PrivilegeValue value = PrivilegeFromMeta(stored);
    return value.name + (value.group ? " (group)" : "");
  };
  EXPECT_EQ(told("PrivilegeInsert"), "Insert");
  EXPECT_EQ(told("PrivilegeGetStatistics"), "GetStatistics");
  EXPECT_EQ(told("PrivilegeGrouppg1"), "pg1 (group)");
  EXPECT_EQ(told("PrivilegeGroupCollectionReadOnly"), "CollectionReadOnly (group)");
  EXPECT_EQ(told("*"), "*");
}

}  // namespace
}  // namespace cdc
