#include "server/open_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "store/sealed_tables.h"
#include "store/sqlite_store.h"
#include "store/threaded_store.h"

namespace cdc {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr char kKey[] = "a passphrase of some length";

class OpenStoreTest : public testing::Test {
 protected:
  OpenStoreTest() {
    std::string name = "/tmp/cdc_open_store.XXXXXX";
    folder_ = mkdtemp(name.data());
    config_.sqlite_path = folder_ + "/cdc.db";
  }
  ~OpenStoreTest() override { fs::remove_all(folder_); }

  std::string Write(const std::string& text) {
    std::ofstream(folder_ + "/key") << text;
    return folder_ + "/key";
  }
  // Opens it, adds or reads the task and closes it again.
  void Add(const Environment& environment) {
    const auto store = OpenStore(config_, environment);
    ASSERT_TRUE(store.ok()) << store.error().message;
    StoredTask task;
    task.spec.id = "t";
    task.spec.mode = TargetMode::kApi;
    task.spec.target.token = "root:sesame";
    ASSERT_TRUE((*store)->AddTask(task).ok());
  }
  std::string Token(const Environment& environment) {
    const auto store = OpenStore(config_, environment);
    if (!store.ok()) return store.error().message;
    return (*store)->LoadTask("t")->spec.target.token;
  }
  Error ErrorOf(const Environment& environment) {
    const auto store = OpenStore(config_, environment);
    return store.ok() ? Error{} : store.error();
  }
  bool FilesHold(const std::string& text) {
    for (const auto& entry : fs::directory_iterator(folder_)) {
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string all{std::istreambuf_iterator<char>(in), {}};
      if (all.find(text) != std::string::npos) return true;
    }
    return false;
  }

  std::string folder_;
  MetaStoreConfig config_;
};

TEST_F(OpenStoreTest, SqliteIsTheDefaultAndHasAKeyOfItsOwn) {
  Add({});
  EXPECT_TRUE(fs::exists(config_.sqlite_path));
  EXPECT_EQ(Token({}), "root:sesame");
  EXPECT_FALSE(FilesHold("sesame"));
  const fs::path key = config_.sqlite_path + ".key";
  EXPECT_EQ(fs::status(key).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_FALSE(fs::exists(key.string() + ".new"));
  fs::rename(key, folder_ + "/elsewhere");
  EXPECT_THAT(Token({}), HasSubstr("another key"));  // a new one was made
  fs::rename(folder_ + "/elsewhere", key);
  EXPECT_EQ(Token({}), "root:sesame");
  std::ofstream(key) << "";
  EXPECT_THAT(Token({}), HasSubstr("is empty"));
}

TEST_F(OpenStoreTest, AStoreOfBeforeIsEncrypted) {
  {  // without a key, as earlier versions wrote it
    auto tables = OpenSealedTables(*OpenSqliteTables(config_.sqlite_path), nullptr);
    ASSERT_TRUE(tables.ok());
    const auto store = MakeThreadedStore(*std::move(tables));
    StoredTask task;
    task.spec.id = "t";
    task.spec.mode = TargetMode::kApi;
    task.spec.target.token = "root:sesame";
    ASSERT_TRUE(store->AddTask(task).ok());
  }
  EXPECT_TRUE(FilesHold("sesame"));
  EXPECT_EQ(Token({}), "root:sesame");
  EXPECT_FALSE(FilesHold("sesame"));
}

TEST_F(OpenStoreTest, KeyFromTheEnvironmentOrAFile) {
  Add({{"MILVUS_CDC_SECRET_KEY", kKey}});
  EXPECT_FALSE(FilesHold("sesame"));
  const std::string file = Write(std::string(kKey) + "\n");
  EXPECT_EQ(Token({{"MILVUS_CDC_SECRET_KEY_FILE", file}}), "root:sesame");
  EXPECT_THAT(Token({}), HasSubstr("set the key that it was stored with"));
  EXPECT_THAT(Token({{"MILVUS_CDC_SECRET_KEY", "another passphrase"}}),
              HasSubstr("another key than MILVUS_CDC_SECRET_KEY"));
}

TEST_F(OpenStoreTest, WrongKeySettingsAreNamed) {
  const std::string file = Write("");
  EXPECT_THAT(ErrorOf({{"MILVUS_CDC_SECRET_KEY_FILE", file}}).message, HasSubstr("is empty"));
  EXPECT_THAT(ErrorOf({{"MILVUS_CDC_SECRET_KEY_FILE", "/nowhere/key"}}).message,
              HasSubstr("/nowhere/key"));
  EXPECT_THAT(ErrorOf({{"MILVUS_CDC_SECRET_KEY", "tiny"}}).message,
              HasSubstr("MILVUS_CDC_SECRET_KEY is too short"));
  const Error both =
      ErrorOf({{"MILVUS_CDC_SECRET_KEY", kKey}, {"MILVUS_CDC_SECRET_KEY_FILE", file}});
  EXPECT_THAT(both.message, HasSubstr("both set"));
  EXPECT_THAT(both.message, Not(HasSubstr(kKey)));
}

TEST_F(OpenStoreTest, ServersThatAreAwayAreNamed) {
  config_.store_type = "etcd";
  config_.etcd.addresses = {"127.0.0.1:1"};
  const Error etcd = ErrorOf({});
  EXPECT_TRUE(etcd.IsRetry());
  EXPECT_THAT(etcd.message, HasSubstr("127.0.0.1:1"));
  config_.store_type = "mysql";
  config_.mysql_source_url = "root:sesame@tcp(127.0.0.1:1)/cdc";
  const Error mysql = ErrorOf({});
  EXPECT_TRUE(mysql.IsRetry());
  EXPECT_THAT(mysql.message, HasSubstr("127.0.0.1:1/cdc"));
  EXPECT_THAT(mysql.message, Not(HasSubstr("sesame")));
}

TEST_F(OpenStoreTest, WrongAddressesNameTheirKey) {
  config_.store_type = "etcd";
  config_.etcd.addresses = {"nowhere"};
  EXPECT_THAT(ErrorOf({}).message, HasSubstr("metaStoreConfig.etcd"));
  config_.store_type = "mysql";
  EXPECT_THAT(ErrorOf({}).message, HasSubstr("metaStoreConfig.mysqlSourceUrl"));
}

}  // namespace
}  // namespace cdc
