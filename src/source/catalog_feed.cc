#include "source/catalog_feed.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/backoff.h"
#include "base/format.h"
#include "base/log.h"
#include "source/catalog_state.h"

namespace cdc {
namespace {

constexpr int64_t kPageSize = 2000;
constexpr auto kFirstWait = std::chrono::milliseconds(100);
constexpr auto kLongestWait = std::chrono::seconds(5);

bool IsEmpty(const CatalogUpdate& update) {
  return !update.full && update.databases.empty() && update.collections.empty() &&
         update.gone_databases.empty() && update.gone_collections.empty();
}

class EtcdCatalogFeed final : public CatalogFeed {
 public:
  EtcdCatalogFeed(EtcdClientFactory open, CatalogKeys keys, Executor* executor)
      : open_(std::move(open)), keys_(std::move(keys)), executor_(executor) {}

  ~EtcdCatalogFeed() override {
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
      if (client_ != nullptr) client_->Close();
    }
    wake_.notify_all();
    if (watcher_.joinable()) watcher_.join();
    if (refresher_.joinable()) refresher_.join();
  }

  void Start(Callback<CatalogUpdate> on_update, Callback<Status> on_trouble) override {
    on_update_ = std::move(on_update);
    on_trouble_ = std::move(on_trouble);
    watcher_ = std::thread([this] { WatchLoop(); });
    refresher_ = std::thread([this] { RefreshLoop(); });
  }

  void Refresh(CollectionId collection, Callback<Status> done) override {
    {
      std::lock_guard lock(mutex_);
      refreshes_.push_back({collection, std::move(done)});
    }
    wake_.notify_all();
  }

 private:
  struct RefreshRequest {
    CollectionId collection = 0;
    Callback<Status> done;
  };

  // ---- the watching thread --------------------------------------------------------------------

  void WatchLoop() {
    Backoff backoff(kFirstWait, kLongestWait);
    std::unique_lock lock(mutex_);
    while (!stopped_) {
      lock.unlock();
      const Error error = ListAndWatch(&backoff);
      lock.lock();
      if (stopped_) return;
      // Having to list again is no trouble by itself; failing to is.
      if (error.kind != ErrorKind::kCompacted) PostTrouble(error);
      LogWarn("catalog {}: {}; listing again", keys_.prefix(), error.message);
      wake_.wait_for(lock, backoff.Next(), [this] { return stopped_; });
    }
  }

  // Returns when a new listing is needed, or after the end.
  Error ListAndWatch(Backoff* backoff) {
    auto opened = OpenOnce();
    if (!opened.ok()) return opened.error();
    const std::shared_ptr<EtcdClient> client = *std::move(opened);
    auto listed = client->RangeAll(keys_.Everything(), kPageSize);
    if (!listed.ok()) return listed.error();
    const uint64_t cluster = listed->cluster_id;
    int64_t watched = listed->revision;
    Install(*listed);
    auto watch = client->Watch(keys_.Everything(), watched + 1);
    if (!watch.ok()) return watch.error();
    for (;;) {
      auto events = (*watch)->Next();
      if (!events.ok()) return events.error();
      if (events->cluster_id != cluster || events->revision < watched) {
        return RetryError(
            Format("etcd {} is not the one that was listed (cluster {} at {}, was "
                   "{} at {})",
                   client->endpoints(), events->cluster_id, events->revision, cluster, watched));
      }
      backoff->Reset();
      Apply(*events, &watched);
    }
  }

  Result<std::shared_ptr<EtcdClient>> OpenOnce() {
    {
      std::lock_guard lock(mutex_);
      if (client_ != nullptr) return client_;
    }
    CDC_ASSIGN_OR_RETURN(std::shared_ptr<EtcdClient> client, open_());
    std::lock_guard lock(mutex_);
    client_ = client;
    if (stopped_) client_->Close();
    return client;
  }

  void Install(const EtcdPage& listed) {
    auto next = std::make_unique<CatalogState>(keys_);
    for (const EtcdKeyValue& kv : listed.kvs) next->Put(kv.key, kv.value, kv.mod_revision);
    std::lock_guard lock(mutex_);
    CatalogUpdate update = next->TakeAll(listed.revision, state_.get());
    state_ = std::move(next);
    ++listing_;
    cluster_id_ = listed.cluster_id;
    watched_ = listed.revision;
    PostUpdate(std::move(update));
    PostTrouble({});
  }

  void Apply(const EtcdEvents& events, int64_t* watched) {
    std::lock_guard lock(mutex_);
    for (const EtcdEvent& event : events.events) {
      if (event.kind == EtcdEvent::Kind::kPut) {
        state_->Put(event.kv.key, event.kv.value, event.kv.mod_revision);
      } else {
        state_->Delete(event.kv.key, event.kv.mod_revision);
      }
      *watched = std::max(*watched, event.kv.mod_revision);
    }
    watched_ = *watched;
    PostUpdate(state_->TakeChanges(watched_));
  }

  // ---- the refreshing thread ------------------------------------------------------------------

  void RefreshLoop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stopped_ || !refreshes_.empty(); });
      if (stopped_) return;
      RefreshRequest request = std::move(refreshes_.front());
      refreshes_.pop_front();
      lock.unlock();
      Status status = ReadCollection(request.collection);
      lock.lock();
      if (stopped_) return;
      executor_->Post(alive_.Guard(
          [done = std::move(request.done), status = std::move(status)] { done(status); }));
    }
  }

  Status ReadCollection(CollectionId collection) {
    std::shared_ptr<EtcdClient> client;
    uint64_t listing = 0;
    {
      std::lock_guard lock(mutex_);
      if (state_ == nullptr) {
        return RetryError("the source's metadata is not listed yet", ErrorKind::kUnavailable);
      }
      client = client_;
      listing = listing_;
    }
    // One snapshot, at the linearizable revision of the first read: a collection that is moved to
    // another database meanwhile is seen in exactly one of them.
    CDC_ASSIGN_OR_RETURN(const EtcdPage databases, client->RangeAll(keys_.Databases(), kPageSize));
    const std::vector<EtcdInterval> intervals =
        keys_.OfCollection(collection, DatabasesIn(databases));
    std::vector<std::vector<EtcdKeyValue>> contents;
    for (size_t at = 0; at < intervals.size(); at += EtcdClient::kMaxIntervalsInTxn) {
      const size_t end = std::min(intervals.size(), at + EtcdClient::kMaxIntervalsInTxn);
      CDC_ASSIGN_OR_RETURN(
          EtcdTxnAnswer answer,
          client->ReadTxn({intervals.begin() + at, intervals.begin() + end}, databases.revision));
      for (auto& range : answer.ranges) contents.push_back(std::move(range));
    }
    std::lock_guard lock(mutex_);
    // Listed anew meanwhile: that listing may have begun before this call.
    if (listing != listing_) return RetryError("the source's metadata was listed anew meanwhile");
    if (databases.cluster_id != cluster_id_) {
      return RetryError("etcd is not the one that was listed", ErrorKind::kUnavailable);
    }
    state_->ReplaceInterval(keys_.Databases(), databases.kvs, databases.revision);
    for (size_t i = 0; i < intervals.size(); ++i) {
      state_->ReplaceInterval(intervals[i], contents[i], databases.revision);
    }
    PostUpdate(state_->TakeChanges(watched_));
    return {};
  }

  std::vector<DatabaseId> DatabasesIn(const EtcdPage& page) const {
    std::vector<DatabaseId> ids;
    for (const EtcdKeyValue& kv : page.kvs) {
      if (IsTombstone(kv.value)) continue;
      if (const auto key = keys_.Parse(kv.key)) ids.push_back(key->owner);
    }
    return ids;
  }

  // ---- to the executor; mutex_ is held, so that updates keep their order ----------------------

  void PostUpdate(CatalogUpdate update) {
    for (const std::string& problem : state_->TakeProblems()) LogError("catalog: {}", problem);
    if (stopped_ || IsEmpty(update)) return;
    update.cluster_id = cluster_id_;
    auto shared = std::make_shared<CatalogUpdate>(std::move(update));
    executor_->Post(alive_.Guard([this, shared] { on_update_(std::move(*shared)); }));
  }

  void PostTrouble(Status status) {
    const std::string text = status.ok() ? std::string() : status.error().message;
    if (stopped_ || text == trouble_) return;
    trouble_ = text;
    executor_->Post(alive_.Guard([this, status = std::move(status)] { on_trouble_(status); }));
  }

  const EtcdClientFactory open_;
  const CatalogKeys keys_;
  Executor* const executor_;
  Callback<CatalogUpdate> on_update_;  // set before the threads start
  Callback<Status> on_trouble_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  bool stopped_ = false;
  std::shared_ptr<EtcdClient> client_;
  std::unique_ptr<CatalogState> state_;  // null until the first listing
  uint64_t listing_ = 0;                 // how many listings there were
  uint64_t cluster_id_ = 0;
  int64_t watched_ = 0;
  std::string trouble_;  // as last reported; empty: none
  std::deque<RefreshRequest> refreshes_;

  std::thread watcher_;
  std::thread refresher_;
  Alive alive_;
};

}  // namespace

std::unique_ptr<CatalogFeed> MakeCatalogFeed(EtcdClientFactory open, CatalogKeys keys,
                                             Executor* executor) {
  return std::make_unique<EtcdCatalogFeed>(std::move(open), std::move(keys), executor);
}

std::unique_ptr<CatalogFeed> MakeEtcdCatalogFeed(EtcdConfig config, const std::string& root_path,
                                                 const std::string& meta_sub_path,
                                                 Executor* executor) {
  return MakeCatalogFeed([config = std::move(config)] { return EtcdClient::Open(config); },
                         CatalogKeys(root_path, meta_sub_path), executor);
}

}  // namespace cdc
