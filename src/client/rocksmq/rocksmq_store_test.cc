#include "client/rocksmq/rocksmq_store.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/perf_context.h>
#include <rocksdb/perf_level.h>

#include <cstdlib>
#include <filesystem>
#include <map>

namespace cdc {
namespace {

// A store with an owner that writes to it, and a reader beside it.
class RocksmqStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "rocksmq-store-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    rocksdb::Options options;
    options.create_if_missing = true;
    options.disable_auto_compactions = true;
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(options, folder_ + "/rocksmq", &db).ok());
    owner_.reset(db);
    auto opened = RocksmqStore::Open(folder_ + "/rocksmq");
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = *std::move(opened);
  }
  void TearDown() override {
    store_.reset();
    owner_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Put(const std::string& topic, uint64_t id) {
    ASSERT_TRUE(owner_->Put({}, topic + "/" + std::to_string(id), std::string(1000, 'x')).ok());
  }
  void Flush() { ASSERT_TRUE(owner_->Flush({}).ok()); }
  std::vector<std::optional<uint64_t>> Newest() {
    EXPECT_TRUE(store_->CatchUp().ok());
    const auto newest = store_->Newest({"a", "b", "c"});
    EXPECT_TRUE(newest.ok());
    return newest.ok() ? *newest : std::vector<std::optional<uint64_t>>();
  }
  std::vector<uint64_t> Ids(const std::string& topic, uint64_t first, uint64_t last) {
    std::vector<uint64_t> ids;
    const auto more = store_->Scan(topic, first)->Run(last, [&](uint64_t id, std::string_view) {
      ids.push_back(id);
      return true;
    });
    EXPECT_TRUE(more.ok());
    return ids;
  }

  std::string folder_;
  std::unique_ptr<rocksdb::DB> owner_;
  std::unique_ptr<RocksmqStore> store_;
};

using Seen = std::vector<std::optional<uint64_t>>;

TEST_F(RocksmqStoreTest, NewestThroughFlushesAndCompactions) {
  EXPECT_EQ(Newest(), (Seen{{}, {}, {}}));
  Put("a", 101);
  EXPECT_EQ(Newest(), (Seen{101, {}, {}}));
  Put("c", 102);
  Flush();
  EXPECT_EQ(Newest(), (Seen{101, {}, 102}));
  Put("b", 103);
  Flush();
  Put("b", 104);
  EXPECT_EQ(Newest(), (Seen{101, 104, 102}));
  Put("a", 105);
  ASSERT_TRUE(owner_->CompactRange({}, nullptr, nullptr).ok());
  EXPECT_EQ(Newest(), (Seen{105, 104, 102})) << "written and compacted between two looks";
  Put("c", 106);
  Put("a", 107);
  Flush();
  ASSERT_TRUE(owner_->CompactRange({}, nullptr, nullptr).ok());
  Put("a", 108);
  EXPECT_EQ(Newest(), (Seen{108, 104, 106}));
  EXPECT_EQ(Ids("a", 0, 108), (std::vector<uint64_t>{101, 105, 107, 108}));
  EXPECT_EQ(Ids("a", 106, 108), (std::vector<uint64_t>{107, 108}));
  EXPECT_EQ(Ids("b", 104, 104), (std::vector<uint64_t>{104}));
}

TEST_F(RocksmqStoreTest, AFileIsLookedIntoOnce) {
  for (uint64_t id = 100; id < 160; ++id) {
    Put(id % 2 == 0 ? "a" : "c", id);
    if (id % 10 == 9) Flush();
  }
  EXPECT_EQ(Newest(), (Seen{158, {}, 159}));
  Put("b", 160);
  EXPECT_EQ(Newest(), (Seen{158, 160, 159}));
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kEnableCount);
  rocksdb::get_perf_context()->Reset();
  for (uint64_t id = 161; id < 200; ++id) {
    Put("a", id);
    EXPECT_EQ(Newest(), (Seen{id, 160, 159}));
    EXPECT_EQ(Ids("a", id, id), (std::vector<uint64_t>{id}));
  }
  EXPECT_EQ(rocksdb::get_perf_context()->block_read_count, 0u) << "all of it is in memory";
  EXPECT_EQ(Ids("a", 156, 161), (std::vector<uint64_t>{156, 158, 161}));
  EXPECT_GT(rocksdb::get_perf_context()->block_read_count, 0u);
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
}

TEST_F(RocksmqStoreTest, WhatRetentionTookStaysKnown) {
  Put("a", 100);
  Put("a", 101);
  Flush();
  EXPECT_EQ(Newest(), (Seen{101, {}, {}}));
  ASSERT_TRUE(owner_->DeleteRange({}, owner_->DefaultColumnFamily(), "a/0", "a/102").ok());
  EXPECT_EQ(Newest(), (Seen{101, {}, {}}));
  EXPECT_EQ(Ids("a", 0, 101), (std::vector<uint64_t>{}));
  Put("a", 103);
  EXPECT_EQ(Newest(), (Seen{103, {}, {}}));
  EXPECT_EQ(Ids("a", 102, 103), (std::vector<uint64_t>{103}));
}

// As they lie in files without and with compression (RocksMQ's newer and older ones) and in memory.
TEST_F(RocksmqStoreTest, WhatIsKeptOutlivesFilesAndStore) {
  const auto payload = [](uint64_t id) { return std::string(64 << 10, static_cast<char>(id)); };
  const auto put = [&](uint64_t id) {
    ASSERT_TRUE(owner_->Put({}, "a/" + std::to_string(id), payload(id)).ok());
  };
  for (uint64_t id = 100; id < 105; ++id) put(id);
  ASSERT_TRUE(owner_->SetOptions({{"compression", "kZSTD"}}).ok());
  Flush();
  for (uint64_t id = 105; id < 110; ++id) put(id);
  ASSERT_TRUE(owner_->SetOptions({{"compression", "kNoCompression"}}).ok());
  Flush();
  for (uint64_t id = 110; id < 112; ++id) put(id);
  ASSERT_TRUE(store_->CatchUp().ok());

  std::map<uint64_t, Slice> kept;
  size_t copies = 0;
  auto scan = store_->Scan("a", 0);
  const auto more = scan->Run(111, [&](uint64_t id, std::string_view bytes) {
    kept[id] = scan->Keep(bytes);
    copies += kept[id].bytes.data() != bytes.data() ? 1 : 0;
    return true;
  });
  ASSERT_TRUE(more.ok());
  // The two in memory, and the first one of all files but the one that was opened last.
  EXPECT_LE(copies, 3U);
  scan.reset();
  ASSERT_TRUE(owner_->DeleteRange({}, owner_->DefaultColumnFamily(), "a/0", "a/200").ok());
  ASSERT_TRUE(owner_->CompactRange({}, nullptr, nullptr).ok());
  ASSERT_TRUE(store_->CatchUp().ok());
  store_.reset();
  ASSERT_EQ(kept.size(), 12U);
  for (const auto& [id, slice] : kept) EXPECT_EQ(slice.bytes, payload(id)) << id;
}

// A walk over small messages goes over to larger reads after some of them.
TEST_F(RocksmqStoreTest, ManySmallMessagesAreWalkedOverInOrderAndPieces) {
  std::vector<uint64_t> ids;
  for (uint64_t id = 1000; id < 2000; id += id % 3 == 0 ? 2 : 1) ids.push_back(id);
  for (const uint64_t id : ids) {
    Put("a", id);
    Put("b", id);  // lies behind them
    if (id == 1400 || id == 1700) Flush();
  }
  ASSERT_TRUE(store_->CatchUp().ok());
  for (const size_t piece : {1, 63, 64, 65, 200, 5000}) {
    auto scan = store_->Scan("a", 1000);
    std::vector<uint64_t> seen;
    for (bool more = true; more;) {
      size_t taken = 0;
      const auto run = scan->Run(1998, [&](uint64_t id, std::string_view) {
        if (taken == piece) return false;
        seen.push_back(id);
        ++taken;
        return true;
      });
      ASSERT_TRUE(run.ok());
      more = *run;
    }
    std::vector<uint64_t> wanted = ids;
    std::erase_if(wanted, [](uint64_t id) { return id > 1998; });
    EXPECT_EQ(seen, wanted) << piece << " at a time";
  }
}

TEST_F(RocksmqStoreTest, AWalkSeesWhatIsDeletedWhileItGoesOn) {
  for (uint64_t id = 1000; id < 1500; ++id) Put("a", id);
  Flush();
  ASSERT_TRUE(store_->CatchUp().ok());
  auto scan = store_->Scan("a", 0);
  size_t seen = 0;
  ASSERT_TRUE(*scan->Run(1499, [&](uint64_t, std::string_view) { return seen < 100 && ++seen; }));
  ASSERT_TRUE(owner_->DeleteRange({}, owner_->DefaultColumnFamily(), "a/0", "a/1499").ok());
  ASSERT_TRUE(owner_->CompactRange({}, nullptr, nullptr).ok());
  ASSERT_TRUE(store_->CatchUp().ok());
  EXPECT_FALSE(*scan->Run(1499, [&](uint64_t, std::string_view) { return ++seen != 0; }));
  EXPECT_EQ(seen, 500U);
}

}  // namespace
}  // namespace cdc
