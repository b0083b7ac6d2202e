#include "store/sealed_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/kv_db_in_memory_test.h"
#include "store/kv_tables.h"

namespace cdc {
namespace {

using testing::HasSubstr;

constexpr char kKey[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
constexpr char kOtherKey[] = "//////////////////////////////////////////8=";

class SealedTablesTest : public testing::Test {
 protected:
  // An empty key: none is set.
  Result<std::unique_ptr<StoreTables>> Open(const std::string& key) {
    CDC_ASSIGN_OR_RETURN(auto tables, OpenKvTables(std::make_unique<InMemoryKvDb>(kv_)));
    std::unique_ptr<SecretBox> box;
    if (!key.empty()) {
      CDC_ASSIGN_OR_RETURN(box, SecretBox::Make(key));
    }
    return OpenSealedTables(std::move(tables), std::move(box));
  }
  void Add(const std::string& key, const std::string& id, const std::string& token) {
    const auto tables = Open(key);
    ASSERT_TRUE(tables.ok()) << tables.error().message;
    StoredTask task;
    task.spec.id = id;
    task.spec.mode = TargetMode::kApi;
    task.spec.target.token = token;
    ASSERT_TRUE((*tables)->AddTask(task, {}).ok());
  }
  std::string TokenOf(const std::string& key, const std::string& id) {
    const auto tables = Open(key);
    EXPECT_TRUE(tables.ok()) << tables.error().message;
    if (!tables.ok()) return "";
    const Result<StoredTask> task = (*tables)->LoadTask(id);
    EXPECT_TRUE(task.ok()) << task.error().message;
    return task.ok() ? task->spec.target.token : "";
  }
  bool Stored(const std::string& text) const {
    for (const auto& [key, value] : kv_->data) {
      if (value.find(text) != std::string::npos) return true;
    }
    return false;
  }

  std::shared_ptr<MemoryKv> kv_ = std::make_shared<MemoryKv>();
};

TEST_F(SealedTablesTest, TokensAreNotInTheStore) {
  Add(kKey, "t", "root:sesame");
  EXPECT_FALSE(Stored("sesame"));
  EXPECT_EQ(TokenOf(kKey, "t"), "root:sesame");
  const auto tables = Open(kKey);
  TaskSpec spec = (*tables)->ListTasks()->front().spec;
  EXPECT_EQ(spec.target.token, "root:sesame");
  spec.target.token = "root:open";
  ASSERT_TRUE((*tables)->UpdateSpec(spec).ok());
  EXPECT_FALSE(Stored("root:open"));
  EXPECT_EQ((*tables)->LoadTask("t")->spec.target.token, "root:open");
}

TEST_F(SealedTablesTest, TokensInClearStayReadableAndAreSealed) {
  Add("", "t", "root:sesame");
  Add("", "none", "");
  EXPECT_TRUE(Stored("root:sesame"));
  EXPECT_EQ(TokenOf("", "t"), "root:sesame");
  EXPECT_EQ(TokenOf(kKey, "t"), "root:sesame");
  EXPECT_FALSE(Stored("root:sesame"));
  EXPECT_EQ(TokenOf(kKey, "t"), "root:sesame");
  EXPECT_EQ(TokenOf(kKey, "none"), "");
}

TEST_F(SealedTablesTest, WithoutTheRightKeyItDoesNotOpen) {
  Add(kKey, "t", "root:sesame");
  const auto data = kv_->data;
  for (const char* key : {"", kOtherKey}) {
    const auto tables = Open(key);
    ASSERT_FALSE(tables.ok());
    EXPECT_EQ(tables.error().kind, ErrorKind::kInvalid);
    EXPECT_THAT(tables.error().message, HasSubstr("MILVUS_CDC_SECRET_KEY"));
    EXPECT_THAT(tables.error().message, HasSubstr("task t"));
  }
  EXPECT_EQ(kv_->data.at("task/t"), data.at("task/t"));
  EXPECT_EQ(TokenOf(kKey, "t"), "root:sesame");
}

TEST_F(SealedTablesTest, TokenOfAnotherTaskDoesNotOpen) {
  Add(kKey, "a", "root:sesame");
  Add(kKey, "b", "root:open");
  // Both records end with the token.
  const auto token = [&](const char* key) {
    const std::string& text = kv_->data.at(key);
    return text.substr(text.find("sealed:"));
  };
  std::string& moved = kv_->data.at("task/a");
  moved = moved.substr(0, moved.find("sealed:")) + token("task/b");
  EXPECT_FALSE(Open(kKey).ok());
}

}  // namespace
}  // namespace cdc
