#include "store/store_backends_test.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "base/format.h"
#include "store/etcd_kv.h"
#include "store/kv_db_in_memory_test.h"
#include "store/kv_tables.h"
#include "store/mysql_kv.h"
#include "store/sqlite_store.h"
#include "store/threaded_store.h"

namespace cdc {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// No other test, process or run has it.
std::string OwnRoot() {
  static std::atomic<int> number{0};
  return Format("cdc-test/{}-{}-{}", time(nullptr), getpid(), ++number);
}

class SqliteBackend final : public StoreBackend {
 public:
  SqliteBackend() {
    std::string name = "/tmp/cdc_store_contract.XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~SqliteBackend() override { std::filesystem::remove_all(folder_); }
  Result<std::unique_ptr<Store>> Open() override { return OpenSqliteStore(folder_ + "/cdc.db"); }

 private:
  std::string folder_;
};

class MemoryBackend final : public KvBackend {
 public:
  explicit MemoryBackend(KvLimits limits) { kv_->limits = limits; }
  Result<std::unique_ptr<KvDb>> Open() override {
    return std::unique_ptr<KvDb>(std::make_unique<InMemoryKvDb>(kv_));
  }

 private:
  std::shared_ptr<MemoryKv> kv_ = std::make_shared<MemoryKv>();
};

// A root path of its own on a real server, cleared at the end.
class ServerBackend : public KvBackend {
 public:
  ~ServerBackend() override = default;

 protected:
  void Clear() {
    Result<std::unique_ptr<KvDb>> db = Open();
    ASSERT_TRUE(db.ok()) << db.error().message;
    const Result<bool> cleared = (*db)->Commit({}, {{}, {""}});
    EXPECT_TRUE(cleared.ok()) << cleared.error().message;
  }
  const std::string root_ = OwnRoot();
};

class EtcdBackend final : public ServerBackend {
 public:
  ~EtcdBackend() override { Clear(); }
  Result<std::unique_ptr<KvDb>> Open() override {
    EtcdConfig config;
    const std::string given = Environment("CDC_TEST_ETCD");
    const size_t at = given.rfind('@') + 1;  // 0: without a user
    config.endpoints = {given.substr(at)};
    if (at > 0) {
      const size_t colon = given.find(':');
      config.user = given.substr(0, colon);
      config.password = given.substr(colon + 1, at - colon - 2);
    }
    return OpenEtcdKv(config, root_);
  }
};

class MysqlBackend final : public ServerBackend {
 public:
  ~MysqlBackend() override { Clear(); }
  Result<std::unique_ptr<KvDb>> Open() override {
    return OpenMysqlKv(Environment("CDC_TEST_MYSQL"), root_);
  }
};

class KvStoreBackend final : public StoreBackend {
 public:
  explicit KvStoreBackend(std::unique_ptr<KvBackend> kv) : kv_(std::move(kv)) {}
  Result<std::unique_ptr<Store>> Open() override {
    CDC_ASSIGN_OR_RETURN(std::unique_ptr<KvDb> db, kv_->Open());
    CDC_ASSIGN_OR_RETURN(std::unique_ptr<StoreTables> tables, OpenKvTables(std::move(db)));
    return MakeThreadedStore(std::move(tables));
  }

 private:
  const std::unique_ptr<KvBackend> kv_;
};

}  // namespace

std::vector<std::string> KvBackends() {
  // Small: hardly anything fits into one commit.
  std::vector<std::string> names = {"memory", "memory_small"};
  if (!Environment("CDC_TEST_ETCD").empty()) names.push_back("etcd");
  if (!Environment("CDC_TEST_MYSQL").empty()) names.push_back("mysql");
  return names;
}

std::unique_ptr<KvBackend> MakeKvBackend(const std::string& name) {
  if (name == "etcd") return std::make_unique<EtcdBackend>();
  if (name == "mysql") return std::make_unique<MysqlBackend>();
  return std::make_unique<MemoryBackend>(name == "memory" ? KvLimits{120, 1'000'000}
                                                          : KvLimits{4, 500});
}

std::vector<std::string> StoreBackends() {
  std::vector<std::string> names = KvBackends();
  names.insert(names.begin(), "sqlite");
  return names;
}

std::unique_ptr<StoreBackend> MakeStoreBackend(const std::string& name) {
  if (name == "sqlite") return std::make_unique<SqliteBackend>();
  return std::make_unique<KvStoreBackend>(MakeKvBackend(name));
}

}  // namespace cdc
