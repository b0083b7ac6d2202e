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
#include "source/rbac_feed.h"

namespace cdc {
namespace {

constexpr int64_t kPageSize = 2000;
constexpr auto kFirstWait = std::chrono::milliseconds(100);
constexpr auto kLongestWait = std::chrono::seconds(5);

bool IsEmpty(const CatalogUpdate& update) {
  return !update.full && update.databases.empty() && update.collections.empty() &&
         update.gone_databases.empty() && update.gone_collections.empty();
}

// A feed, as the hub sees it. The hub's mutex guards it.
struct Member {
  Executor* executor = nullptr;
  Callback<std::shared_ptr<const CatalogUpdate>> on_update;
  Callback<Status> on_trouble;
  uint64_t joined = 0;
  bool waits = true;  // for its first update, which is a full one
  bool left = false;
};
using MemberPtr = std::shared_ptr<Member>;

}  // namespace

class CatalogHub {
 public:
  CatalogHub(EtcdClientFactory open, CatalogKeys keys)
      : open_(std::move(open)), keys_(std::move(keys)), rbac_(keys_.prefix()) {}

  ~CatalogHub() {
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
      if (client_ != nullptr) client_->Close();
    }
    wake_.notify_all();
    if (watcher_.joinable()) watcher_.join();
    if (refresher_.joinable()) refresher_.join();
  }

  void Join(const MemberPtr& member) {
    std::lock_guard lock(mutex_);
    member->joined = ++joins_;
    members_.push_back(member);
    if (!trouble_.ok()) Tell(member, trouble_);
    StartThreads();
    wake_.notify_all();
  }

  void JoinRbac(const RbacBoard::MemberPtr& member) {
    std::lock_guard lock(mutex_);
    rbac_.Join(member);
    StartThreads();
  }

  void LeaveRbac(const RbacBoard::MemberPtr& member) {
    std::lock_guard lock(mutex_);
    rbac_.Leave(member);
  }

  // Nothing is posted to the member's executor any more.
  void Leave(const MemberPtr& member) {
    std::lock_guard lock(mutex_);
    member->left = true;
    std::erase(members_, member);
  }

  void Refresh(CollectionId collection, const MemberPtr& member, Callback<Status> done) {
    {
      std::lock_guard lock(mutex_);
      refreshes_.push_back({collection, member, std::move(done)});
    }
    wake_.notify_all();
  }

 private:
  struct RefreshRequest {
    CollectionId collection = 0;
    MemberPtr member;
    Callback<Status> done;
  };

  void StartThreads() {
    if (watcher_.joinable()) return;
    watcher_ = std::thread([this] { WatchLoop(); });
    refresher_ = std::thread([this] { RefreshLoop(); });
  }

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
    const uint64_t joins = Joins();
    auto listed = client->RangeAll(keys_.Everything(), kPageSize);
    if (!listed.ok()) return listed.error();
    const uint64_t cluster = listed->cluster_id;
    int64_t watched = listed->revision;
    Install(*listed, joins);
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

  uint64_t Joins() {
    std::lock_guard lock(mutex_);
    return joins_;
  }

  // `joins`: when the listing began.
  void Install(const EtcdPage& listed, uint64_t joins) {
    auto next = std::make_unique<CatalogState>(keys_);
    for (const EtcdKeyValue& kv : listed.kvs) next->Put(kv.key, kv.value, kv.mod_revision);
    std::lock_guard lock(mutex_);
    CatalogUpdate update = next->TakeAll(listed.revision, state_.get());
    state_ = std::move(next);
    ++listing_;
    cluster_id_ = listed.cluster_id;
    watched_ = newest_ = listed.revision;
    PostUpdate(std::move(update),
               [joins](const Member& member) { return !member.waits || member.joined <= joins; });
    rbac_.Replace(listed.kvs);
    PostRbac();
    PostTrouble({});
    wake_.notify_all();
  }

  void Apply(const EtcdEvents& events, int64_t* watched) {
    std::lock_guard lock(mutex_);
    for (const EtcdEvent& event : events.events) {
      if (event.kind == EtcdEvent::Kind::kPut) {
        state_->Put(event.kv.key, event.kv.value, event.kv.mod_revision);
      } else {
        state_->Delete(event.kv.key, event.kv.mod_revision);
      }
      rbac_.Apply(event);
      *watched = std::max(*watched, event.kv.mod_revision);
    }
    watched_ = *watched;
    newest_ = std::max(newest_, watched_);
    PostChanges();
    PostRbac();
  }

  // ---- the refreshing thread ------------------------------------------------------------------

  void RefreshLoop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      const auto somebody_waits = [this] {
        return state_ != nullptr && std::any_of(members_.begin(), members_.end(),
                                                [](const auto& member) { return member->waits; });
      };
      wake_.wait(lock, [&] { return stopped_ || !refreshes_.empty() || somebody_waits(); });
      if (stopped_) return;
      if (refreshes_.empty()) {
        lock.unlock();
        const Status status = ReadEverything();
        lock.lock();
        PostTrouble(status);
        if (!status.ok()) wake_.wait_for(lock, kFirstWait, [this] { return stopped_; });
        continue;
      }
      const RefreshRequest request = std::move(refreshes_.front());
      refreshes_.pop_front();
      if (request.member->left) continue;
      lock.unlock();
      const Status status = ReadCollection(request.collection);
      lock.lock();
      if (stopped_) return;
      if (request.member->left) continue;
      request.member->executor->Post([done = request.done, status] { done(status); });
    }
  }

  // For those who joined before this call.
  Status ReadEverything() {
    std::unique_lock lock(mutex_);
    const std::shared_ptr<EtcdClient> client = client_;
    const uint64_t listing = listing_, joins = joins_;
    lock.unlock();
    CDC_ASSIGN_OR_RETURN(const EtcdPage page, client->RangeAll(keys_.Everything(), kPageSize));
    lock.lock();
    if (listing != listing_) return {};  // whoever still waits has another turn
    if (page.cluster_id != cluster_id_) {
      return RetryError("etcd is not the one that was listed", ErrorKind::kUnavailable);
    }
    state_->ReplaceInterval(keys_.Everything(), page.kvs, page.revision);
    newest_ = std::max(newest_, page.revision);
    PostChanges();
    PostUpdate(state_->TakeAll(watched_, nullptr),
               [joins](const Member& member) { return member.waits && member.joined <= joins; });
    return {};
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
    newest_ = std::max(newest_, databases.revision);
    PostChanges();
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

  // ---- to the members; mutex_ is held, so that updates keep their order -----------------------

  void PostChanges() {
    PostUpdate(state_->TakeChanges(watched_), [](const Member& member) { return !member.waits; });
  }

  // Behind the catalog's own update of the same revision.
  void PostRbac() {
    if (!stopped_) rbac_.Post(cluster_id_, watched_);
  }

  template <typename For>
  void PostUpdate(CatalogUpdate update, For whom) {
    for (const std::string& problem : state_->TakeProblems()) LogError("catalog: {}", problem);
    if (stopped_ || IsEmpty(update)) return;
    update.cluster_id = cluster_id_;
    update.revision = newest_;
    const auto shared = std::make_shared<const CatalogUpdate>(std::move(update));
    for (const MemberPtr& member : members_) {
      if (!whom(*member)) continue;
      if (shared->full) member->waits = false;
      member->executor->Post([tell = member->on_update, shared] { tell(shared); });
    }
  }

  void PostTrouble(const Status& status) {
    const bool same = status.ok() == trouble_.ok() &&
                      (status.ok() || status.error().message == trouble_.error().message);
    if (stopped_ || same) return;
    trouble_ = status;
    for (const MemberPtr& member : members_) Tell(member, status);
  }

  static void Tell(const MemberPtr& member, const Status& status) {
    member->executor->Post([tell = member->on_trouble, status] { tell(status); });
  }

  const EtcdClientFactory open_;
  const CatalogKeys keys_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  bool stopped_ = false;
  std::vector<MemberPtr> members_;
  uint64_t joins_ = 0;
  std::shared_ptr<EtcdClient> client_;
  std::unique_ptr<CatalogState> state_;  // null until the first listing
  uint64_t listing_ = 0;                 // how many listings the watch began with
  uint64_t cluster_id_ = 0;
  int64_t watched_ = 0;  // every change up to it is in
  int64_t newest_ = 0;   // revision that was seen in this etcd
  Status trouble_;       // as last reported
  RbacBoard rbac_;
  std::deque<RefreshRequest> refreshes_;

  std::thread watcher_;
  std::thread refresher_;
};

namespace {

class SharedFeed final : public CatalogFeed {
 public:
  SharedFeed(std::shared_ptr<CatalogHub> hub, Executor* executor) : hub_(std::move(hub)) {
    member_->executor = executor;
  }
  ~SharedFeed() override { hub_->Leave(member_); }

  void Start(Callback<CatalogUpdate> on_update, Callback<Status> on_trouble) override {
    member_->on_update =
        alive_.Guard([tell = std::move(on_update)](const auto& update) { tell(*update); });
    member_->on_trouble = alive_.Guard(std::move(on_trouble));
    hub_->Join(member_);
  }
  void Refresh(CollectionId collection, Callback<Status> done) override {
    hub_->Refresh(collection, member_, alive_.Guard(std::move(done)));
  }

 private:
  const std::shared_ptr<CatalogHub> hub_;
  const MemberPtr member_ = std::make_shared<Member>();
  Alive alive_;
};

}  // namespace

SourceCatalog::SourceCatalog(EtcdClientFactory open, CatalogKeys keys)
    : open_(std::move(open)), keys_(std::move(keys)) {}
SourceCatalog::~SourceCatalog() = default;

std::shared_ptr<CatalogHub> SourceCatalog::Hub() {
  std::lock_guard lock(mutex_);
  std::shared_ptr<CatalogHub> hub = hub_.lock();
  if (hub == nullptr) {
    hub = std::make_shared<CatalogHub>(open_, keys_);
    hub_ = hub;
  }
  return hub;
}

std::unique_ptr<CatalogFeed> SourceCatalog::Open(Executor* executor) {
  return std::make_unique<SharedFeed>(Hub(), executor);
}

std::unique_ptr<RbacFeed> SourceCatalog::OpenRbac(Executor* executor) {
  const std::shared_ptr<CatalogHub> hub = Hub();
  return MakeRbacFeed(
      executor, [hub](const RbacBoard::MemberPtr& member) { hub->JoinRbac(member); },
      [hub](const RbacBoard::MemberPtr& member) { hub->LeaveRbac(member); });
}

}  // namespace cdc
