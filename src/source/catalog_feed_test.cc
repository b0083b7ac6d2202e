#include "source/catalog_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>

#include "base/thread_executor.h"

namespace cdc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kTombstone[] = "\xE2\x9B\xBC";
// DatabaseInfo{name = 2}, state created = 4.
std::string Database(const std::string& name) {
  return std::string("\x12") + static_cast<char>(name.size()) + name + "\x20\x01";
}
std::string DatabaseKey(int id) {
  return "by-dev/meta/root-coord/database/db-info/" + std::to_string(id);
}

// An etcd in memory, shared by the clients that are opened on it.
struct Store {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, EtcdKeyValue> keys;
  std::vector<EtcdEvent> history;
  int64_t revision = 1;
  uint64_t cluster = 77;
  std::optional<Error> away;         // every call fails with it
  std::optional<Error> watch_error;  // the next Next() of a watch fails with it
  int watches = 0;

  void Put(const std::string& key, const std::string& value) {
    std::lock_guard lock(mutex);
    EtcdKeyValue kv{key, value, 0, ++revision};
    keys[key] = kv;
    history.push_back({EtcdEvent::Kind::kPut, kv});
    changed.notify_all();
  }
  void Delete(const std::string& key, bool silently = false) {
    std::lock_guard lock(mutex);
    keys.erase(key);
    ++revision;
    if (!silently) history.push_back({EtcdEvent::Kind::kDelete, {key, "", 0, revision}});
    changed.notify_all();
  }
  void BreakWatch(Error error) {
    std::lock_guard lock(mutex);
    watch_error = std::move(error);
    changed.notify_all();
  }
  void SetAway(std::optional<Error> error) {
    std::lock_guard lock(mutex);
    away = std::move(error);
  }
  void AwaitWatches(int count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return watches >= count; });
  }
};

class FakeWatch final : public EtcdWatch {
 public:
  FakeWatch(Store* store, int64_t from, const bool* closed)
      : store_(store), from_(from), closed_(closed) {}
  Result<EtcdEvents> Next() override {
    std::unique_lock lock(store_->mutex);
    EtcdEvents out;
    out.cluster_id = store_->cluster;
    if (!acknowledged_) {
      acknowledged_ = true;
      ++store_->watches;
      store_->changed.notify_all();
      out.revision = store_->revision;
      return out;
    }
    for (;;) {
      if (*closed_) return RetryError("closed");
      if (store_->watch_error) {
        const Error error = *std::exchange(store_->watch_error, std::nullopt);
        return error;
      }
      for (const EtcdEvent& event : store_->history) {
        if (event.kv.mod_revision >= from_) out.events.push_back(event);
      }
      if (!out.events.empty()) break;
      store_->changed.wait(lock);
    }
    from_ = out.events.back().kv.mod_revision + 1;
    out.revision = store_->revision;
    return out;
  }
  void Cancel() override {}

 private:
  Store* store_;
  int64_t from_;
  const bool* closed_;
  bool acknowledged_ = false;
};

class FakeClient final : public EtcdClient {
 public:
  explicit FakeClient(Store* store) : store_(store) {}
  Result<EtcdPage> Range(const EtcdInterval& interval, const EtcdReadOptions&) override {
    return RangeAll(interval, 0);
  }
  Result<EtcdPage> RangeAll(const EtcdInterval& interval, int64_t) override {
    std::lock_guard lock(store_->mutex);
    if (store_->away) return *store_->away;
    EtcdPage page;
    page.cluster_id = store_->cluster;
    page.revision = store_->revision;
    page.kvs = Inside(interval);
    return page;
  }
  Result<EtcdTxnAnswer> ReadTxn(const std::vector<EtcdInterval>& intervals, int64_t) override {
    std::lock_guard lock(store_->mutex);
    if (store_->away) return *store_->away;
    EtcdTxnAnswer answer;
    for (const EtcdInterval& interval : intervals) answer.ranges.push_back(Inside(interval));
    return answer;
  }
  Result<std::unique_ptr<EtcdWatch>> Watch(const EtcdInterval&, int64_t from) override {
    return std::unique_ptr<EtcdWatch>(std::make_unique<FakeWatch>(store_, from, &closed_));
  }
  void Close() override {
    std::lock_guard lock(store_->mutex);
    closed_ = true;
    store_->changed.notify_all();
  }
  const std::string& endpoints() const override { return endpoints_; }

 private:
  std::vector<EtcdKeyValue> Inside(const EtcdInterval& interval) {
    std::vector<EtcdKeyValue> out;
    for (const auto& [key, kv] : store_->keys) {
      const bool inside = interval.end.empty() ? key == interval.begin
                                               : key >= interval.begin && key < interval.end;
      if (inside) out.push_back(kv);
    }
    return out;
  }

  Store* store_;
  bool closed_ = false;
  const std::string endpoints_ = "fake:2379";
};

// Collects what the feed says and lets the test wait for it.
class CatalogFeedTest : public testing::Test {
 protected:
  void Start() {
    executor_.RunAndWait([&] {
      feed_ = catalog_.Open(&executor_);
      feed_->Start([this](CatalogUpdate update) { Add(&updates_, std::move(update)); },
                   [this](Status status) { Add(&troubles_, std::move(status)); });
    });
  }
  void TearDown() override {
    executor_.RunAndWait([&] { feed_.reset(); });
  }
  template <typename T>
  void Add(std::vector<T>* list, T item) {
    std::lock_guard lock(mutex_);
    list->push_back(std::move(item));
    arrived_.notify_all();
  }
  template <typename T>
  T Await(const std::vector<T>& list, size_t index) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return list.size() > index; });
    return list[index];
  }
  Status Refresh(CollectionId id) {
    std::vector<Status> done;
    executor_.RunAndWait([&] {
      feed_->Refresh(id, [this, &done](Status status) { Add(&done, std::move(status)); });
    });
    return Await(done, 0);
  }

  Store store_;
  SourceCatalog catalog_{
      [this]() -> Result<std::unique_ptr<EtcdClient>> {
        return std::unique_ptr<EtcdClient>(std::make_unique<FakeClient>(&store_));
      },
      CatalogKeys("by-dev", "meta")};
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<CatalogUpdate> updates_;
  std::vector<Status> troubles_;
  ThreadExecutor executor_{"test"};
  std::unique_ptr<CatalogFeed> feed_;
};

TEST_F(CatalogFeedTest, ListsThenFollows) {
  store_.Put(DatabaseKey(1), Database("default"));
  Start();
  const CatalogUpdate first = Await(updates_, 0);
  EXPECT_TRUE(first.full);
  EXPECT_EQ(first.cluster_id, 77u);
  EXPECT_EQ(first.revision, 2);
  EXPECT_THAT(first.databases, SizeIs(1));

  store_.Put(DatabaseKey(2), Database("db2"));
  const CatalogUpdate second = Await(updates_, 1);
  EXPECT_FALSE(second.full);
  EXPECT_EQ(second.revision, 3);
  EXPECT_EQ(second.databases.at(0).name, "db2");

  store_.Put(DatabaseKey(2), kTombstone);
  EXPECT_THAT(Await(updates_, 2).gone_databases, ElementsAre(Gone<DatabaseId>{2, true}));
  std::lock_guard lock(mutex_);
  EXPECT_THAT(troubles_, IsEmpty());
}

TEST_F(CatalogFeedTest, ListsAgainAfterACompactionWithoutCryingTrouble) {
  store_.Put(DatabaseKey(1), Database("default"));
  store_.Put(DatabaseKey(2), Database("db2"));
  Start();
  (void)Await(updates_, 0);
  store_.AwaitWatches(1);
  store_.Delete(DatabaseKey(2), /*silently=*/true);
  store_.BreakWatch(RetryError("compacted", ErrorKind::kCompacted));
  const CatalogUpdate again = Await(updates_, 1);
  EXPECT_TRUE(again.full);
  EXPECT_THAT(again.gone_databases, ElementsAre(Gone<DatabaseId>{2, false}));
  store_.AwaitWatches(2);
  std::lock_guard lock(mutex_);
  EXPECT_THAT(troubles_, IsEmpty());
}

TEST_F(CatalogFeedTest, ReportsTroubleUntilItIsOver) {
  store_.SetAway(RetryError("etcd fake is not reachable", ErrorKind::kUnavailable));
  Start();
  EXPECT_THAT(Await(troubles_, 0).error().message, testing::HasSubstr("not reachable"));
  EXPECT_FALSE(Refresh(7).ok());  // nothing is listed yet
  store_.SetAway(std::nullopt);
  EXPECT_TRUE(Await(updates_, 0).full);
  EXPECT_TRUE(Await(troubles_, 1).ok());
  EXPECT_TRUE(Refresh(7).ok());
}

TEST_F(CatalogFeedTest, AnotherClusterUnderTheSameAddressIsListedAnew) {
  store_.Put(DatabaseKey(1), Database("default"));
  Start();
  (void)Await(updates_, 0);
  store_.AwaitWatches(1);
  {
    std::lock_guard lock(store_.mutex);
    store_.cluster = 78;
    store_.keys.clear();
    store_.history.clear();
    store_.revision = 1;
  }
  store_.BreakWatch(RetryError("connection lost", ErrorKind::kUnavailable));
  const CatalogUpdate wiped = Await(updates_, 1);
  EXPECT_TRUE(wiped.full);
  EXPECT_EQ(wiped.cluster_id, 78u);
  EXPECT_THAT(wiped.gone_databases, ElementsAre(Gone<DatabaseId>{1, false}));
}

TEST_F(CatalogFeedTest, ARefreshSeesWhatTheWatchHasNotDelivered) {
  store_.Put(DatabaseKey(1), Database("default"));
  Start();
  (void)Await(updates_, 0);
  store_.AwaitWatches(1);
  store_.Delete(DatabaseKey(1), /*silently=*/true);
  EXPECT_TRUE(Refresh(7).ok());
  const CatalogUpdate update = Await(updates_, 1);  // delivered before the answer to Refresh
  EXPECT_THAT(update.gone_databases, ElementsAre(Gone<DatabaseId>{1, false}));
  store_.SetAway(RetryError("away", ErrorKind::kUnavailable));
  EXPECT_FALSE(Refresh(7).ok());
}

TEST_F(CatalogFeedTest, NothingIsCalledAfterItsEnd) {
  Start();
  (void)Await(updates_, 0);
  bool called = false;
  executor_.RunAndWait([&] {
    feed_->Refresh(7, [&](Status) { called = true; });
    feed_.reset();
  });
  executor_.RunAndWait([] {});
  EXPECT_FALSE(called);
}

// What joined later shares the watch, and begins with all there was when it joined.
TEST_F(CatalogFeedTest, ALaterFeedBeginsWithEverythingAndThenFollows) {
  store_.Put(DatabaseKey(1), Database("default"));
  store_.Put(DatabaseKey(2), kTombstone);
  Start();
  (void)Await(updates_, 0);
  store_.AwaitWatches(1);
  store_.Delete(DatabaseKey(1), /*silently=*/true);  // the watch lags behind
  store_.Put(DatabaseKey(3), Database("db3"));
  std::vector<CatalogUpdate> seen;
  std::unique_ptr<CatalogFeed> later;
  executor_.RunAndWait([&] {
    later = catalog_.Open(&executor_);
    later->Start([&](CatalogUpdate update) { Add(&seen, std::move(update)); }, [](Status) {});
  });
  const CatalogUpdate first = Await(seen, 0);
  EXPECT_TRUE(first.full);
  EXPECT_EQ(first.revision, 5);
  ASSERT_THAT(first.databases, SizeIs(1));
  EXPECT_EQ(first.databases[0].name, "db3");
  EXPECT_THAT(first.gone_databases, testing::Contains(Gone<DatabaseId>{2, true}));
  store_.Put(DatabaseKey(4), Database("db4"));
  const CatalogUpdate second = Await(seen, 1);
  EXPECT_FALSE(second.full);
  EXPECT_EQ(second.databases.at(0).name, "db4");
  // The first feed has seen each of them, once.
  std::vector<std::string> names;
  std::vector<Gone<DatabaseId>> gone;
  for (size_t i = 1; names.size() < 2 || gone.empty(); ++i) {
    const CatalogUpdate update = Await(updates_, i);
    EXPECT_FALSE(update.full);
    for (const SourceDatabase& database : update.databases) names.push_back(database.name);
    gone.insert(gone.end(), update.gone_databases.begin(), update.gone_databases.end());
  }
  EXPECT_THAT(names, ElementsAre("db3", "db4"));
  EXPECT_THAT(gone, ElementsAre(Gone<DatabaseId>{1, false}));
  executor_.RunAndWait([&] { later.reset(); });
  EXPECT_EQ(store_.watches, 1);
}

TEST_F(CatalogFeedTest, ALaterFeedHearsOfTroubleAndOfItsEnd) {
  store_.SetAway(RetryError("etcd fake is not reachable", ErrorKind::kUnavailable));
  Start();
  (void)Await(troubles_, 0);
  std::vector<CatalogUpdate> seen;
  std::vector<Status> troubles;
  std::unique_ptr<CatalogFeed> later;
  executor_.RunAndWait([&] {
    later = catalog_.Open(&executor_);
    later->Start([&](CatalogUpdate update) { Add(&seen, std::move(update)); },
                 [&](Status status) { Add(&troubles, std::move(status)); });
  });
  EXPECT_FALSE(Await(troubles, 0).ok());
  store_.SetAway(std::nullopt);
  EXPECT_TRUE(Await(seen, 0).full);
  EXPECT_TRUE(Await(troubles, 1).ok());
  executor_.RunAndWait([&] { later.reset(); });
}

// The first feed may go: the others go on, and one that comes when all are gone starts anew.
TEST_F(CatalogFeedTest, TheWatchLivesAsLongAsAFeed) {
  Start();
  (void)Await(updates_, 0);
  std::vector<CatalogUpdate> seen;
  std::unique_ptr<CatalogFeed> later;
  executor_.RunAndWait([&] {
    later = catalog_.Open(&executor_);
    later->Start([&](CatalogUpdate update) { Add(&seen, std::move(update)); }, [](Status) {});
  });
  EXPECT_TRUE(Await(seen, 0).full);
  executor_.RunAndWait([&] { feed_.reset(); });
  store_.Put(DatabaseKey(1), Database("default"));
  EXPECT_THAT(Await(seen, 1).databases, SizeIs(1));
  executor_.RunAndWait([&] { later.reset(); });
  Start();
  const CatalogUpdate anew = Await(updates_, 1);
  EXPECT_TRUE(anew.full);
  EXPECT_THAT(anew.databases, SizeIs(1));
}

class RbacFeedTest : public CatalogFeedTest {
 protected:
  static constexpr char kRole[] = "by-dev/meta/root-coord/credential/roles/";

  std::unique_ptr<RbacFeed> OpenRbac(std::vector<RbacUpdate>* seen) {
    std::unique_ptr<RbacFeed> feed;
    executor_.RunAndWait([&] {
      feed = catalog_.OpenRbac(&executor_);
      feed->Start([this, seen](RbacUpdate update) { Add(seen, std::move(update)); });
    });
    return feed;
  }
  void Close(std::unique_ptr<RbacFeed>* feed) {
    executor_.RunAndWait([&] { feed->reset(); });
  }
};

TEST_F(RbacFeedTest, RolesComeFromTheWatchOfTheCatalog) {
  store_.Put(DatabaseKey(1), Database("default"));
  store_.Put(std::string(kRole) + "reader", "");
  Start();
  (void)Await(updates_, 0);
  store_.AwaitWatches(1);
  std::vector<RbacUpdate> seen;
  std::unique_ptr<RbacFeed> feed = OpenRbac(&seen);
  const RbacUpdate first = Await(seen, 0);
  EXPECT_EQ(first.cluster_id, 77u);
  EXPECT_EQ(first.revision, 3);
  EXPECT_THAT(first.catalog.roles, ElementsAre("reader"));

  store_.Put(DatabaseKey(2), Database("db2"));  // tells nothing of roles
  store_.Put(std::string(kRole) + "writer", "");
  const RbacUpdate second = Await(seen, 1);
  EXPECT_EQ(second.revision, 5);
  EXPECT_THAT(second.catalog.roles, ElementsAre("reader", "writer"));
  store_.Delete(std::string(kRole) + "reader");
  EXPECT_THAT(Await(seen, 2).catalog.roles, ElementsAre("writer"));
  Close(&feed);
  std::lock_guard lock(store_.mutex);
  EXPECT_EQ(store_.watches, 1);
}

TEST_F(RbacFeedTest, ItNeedsNoCatalogFeed) {
  store_.Put(std::string(kRole) + "reader", "");
  std::vector<RbacUpdate> seen;
  std::unique_ptr<RbacFeed> feed = OpenRbac(&seen);
  EXPECT_THAT(Await(seen, 0).catalog.roles, ElementsAre("reader"));
  Close(&feed);
}

TEST_F(RbacFeedTest, AListingAfterALostWatchShowsWhatIsGone) {
  store_.Put(std::string(kRole) + "reader", "");
  std::vector<RbacUpdate> seen;
  std::unique_ptr<RbacFeed> feed = OpenRbac(&seen);
  (void)Await(seen, 0);
  store_.AwaitWatches(1);
  store_.Delete(std::string(kRole) + "reader", /*silently=*/true);
  store_.BreakWatch(RetryError("compacted", ErrorKind::kCompacted));
  EXPECT_THAT(Await(seen, 1).catalog.roles, IsEmpty());
  Close(&feed);
}

}  // namespace
}  // namespace cdc
