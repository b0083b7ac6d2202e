#include "sim_feeds.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace cdc::sim {

// ---- the log ------------------------------------------------------------------------------------

class SimLog::Reader final : public LogReader {
 public:
  Reader(SimLog* log, int pchannel, LogPosition from) : log_(log), pchannel_(pchannel) {
    if (from.kind == LogPosition::Kind::kAt) next_ = from.id.minor;
    if (from.kind == LogPosition::Kind::kAfter) next_ = from.id.minor + 1;
  }

  void Read(size_t max_bytes, Callback<Result<std::vector<Change>>> done) override {
    max_bytes_ = max_bytes;
    done_ = std::move(done);
    Random& random = log_->random_;
    const bool slow = random.Chance(log_->faults_->slow_read);
    log_->executor_->PostAfter(slow ? random.Millis(200, 2000) : random.Millis(0, 4),
                               alive_.Guard([this] { Look(); }));
  }

 private:
  void Look() {
    if (log_->random_.Chance(log_->faults_->read_error)) {
      Finish(RetryError("simulated: the log is unreachable"));
      return;
    }
    const auto gone = log_->gone_.find(pchannel_);
    if (gone != log_->gone_.end() && next_ <= gone->second) {
      log_->told_gone_.emplace(pchannel_, log_->executor_->WallMillis());
      Finish(FatalError("simulated: position gone", ErrorKind::kPositionGone));
      return;
    }
    const std::vector<Change>& entries = log_->source_->LogOf(pchannel_);
    if (next_ > entries.size()) {
      log_->source_->OnAppend(pchannel_, alive_.Guard([this] { Look(); }));
      return;
    }
    std::vector<Change> out;
    size_t bytes = 0;
    while (next_ <= entries.size()) {
      bytes += entries[next_ - 1].MemoryUsage();
      if (!out.empty() && bytes > max_bytes_) break;
      out.push_back(entries[next_++ - 1]);
    }
    Finish(std::move(out));
  }
  void Finish(Result<std::vector<Change>> result) {
    const auto done = std::exchange(done_, nullptr);
    done(std::move(result));  // may destroy this reader
  }

  SimLog* const log_;
  const int pchannel_;
  uint64_t next_ = 1;
  size_t max_bytes_ = 0;
  Callback<Result<std::vector<Change>>> done_;
  Alive alive_;
};

std::unique_ptr<LogReader> SimLog::Open(const std::string& channel, LogPosition from) {
  return std::make_unique<Reader>(this, SimSource::PchannelIndex(channel), from);
}

void SimLog::Truncate() {
  for (int i = 0; i < source_->pchannels(); ++i) gone_[i] = source_->LogOf(i).size();
}

void SimLog::Latest(std::vector<std::string> channels,
                    Callback<Result<std::map<std::string, LogPosition>>> done) {
  executor_->PostAfter(random_.Millis(1, 50), [this, channels, done = std::move(done)] {
    if (random_.Chance(faults_->read_error)) {
      done(RetryError("simulated: the log is unreachable"));
      return;
    }
    std::map<std::string, LogPosition> out;
    for (const std::string& name : channels) {
      const size_t end = source_->LogOf(SimSource::PchannelIndex(name)).size();
      out[name] = end == 0 ? LogPosition{} : LogPosition{LogPosition::Kind::kAfter, {0, end}};
    }
    done(std::move(out));
  });
}

// ---- the catalog
// ----------------------------------------------------------------------------------

SimCatalogFeed::SimCatalogFeed(SimSource* source, SimExecutor* executor, Random random,
                               const SourceFaults* faults)
    : source_(source), executor_(executor), random_(random), faults_(faults) {
  source_->OnCatalogChanged(alive_.Guard([this] { Schedule(); }));
}

void SimCatalogFeed::Start(Callback<CatalogUpdate> on_update, Callback<Status> on_trouble) {
  on_update_ = std::move(on_update);
  on_trouble_ = std::move(on_trouble);
  List();
}

void SimCatalogFeed::List() {
  executor_->PostAfter(random_.Millis(1, 300), alive_.Guard([this] {
    if (faults_->etcd_down) {
      on_trouble_(RetryError("simulated: etcd is away"));
      List();
      return;
    }
    on_trouble_(OkStatus());
    listed_ = true;
    CatalogUpdate update = source_->FullListing();
    update.cluster_id = kClusterId;
    std::erase_if(update.collections,
                  [&](const auto& collection) { return collection->id == faults_->lost_key; });
    if (faults_->etcd_wiped) {
      update = CatalogUpdate();
      update.full = true;
      update.cluster_id = kClusterId + 1;
      update.revision = 3;
    }
    // The order within an update is not promised.
    for (size_t i = update.collections.size(); i > 1; --i) {
      std::swap(update.collections[i - 1], update.collections[random_.Below(i)]);
    }
    next_ = source_->events().size();
    Send(update);
  }));
}

void SimCatalogFeed::Relist() {
  if (!listed_) return;
  listed_ = false;
  List();
}

void SimCatalogFeed::Schedule() {
  if (!listed_ || scheduled_ || faults_->etcd_wiped) return;
  scheduled_ = true;
  executor_->PostAfter(random_.Chance(0.1) ? random_.Millis(100, 1500) : random_.Millis(0, 60),
                       alive_.Guard([this] {
                         scheduled_ = false;
                         if (faults_->etcd_wiped) return;
                         if (faults_->etcd_down) {
                           on_trouble_(RetryError("simulated: etcd is away"));
                           Schedule();
                           return;
                         }
                         on_trouble_(OkStatus());
                         if (random_.Chance(0.02)) {  // compacted: a new listing
                           listed_ = false;
                           List();
                           return;
                         }
                         const size_t all = source_->events().size();
                         const size_t left = all - next_;
                         if (left == 0) return;
                         Deliver(random_.Chance(0.5) ? all : next_ + 1 + random_.Below(left));
                         if (next_ < source_->events().size()) Schedule();
                       }));
}

// Several changes in one update: the latest state of each object counts.
void SimCatalogFeed::Deliver(size_t upto) {
  if (upto <= next_) return;
  CatalogUpdate update;
  update.cluster_id = kClusterId;
  std::map<CollectionId, SourceCollectionPtr> collections;
  std::set<CollectionId> gone;
  for (; next_ < upto; ++next_) {
    const CatalogEvent& event = source_->events()[next_];
    update.revision = event.revision;
    const bool lost = event.collection && event.collection->id == faults_->lost_key;
    if (lost) continue;
    if (event.collection) {
      collections[event.collection->id] = event.collection;
    } else if (event.database) {
      update.databases.push_back(*event.database);
    } else if (event.gone_collection != 0) {
      collections.erase(event.gone_collection);
      gone.insert(event.gone_collection);
    } else {
      update.gone_databases.push_back({event.gone_database, true});
    }
  }
  for (const auto& [id, collection] : collections) update.collections.push_back(collection);
  for (const CollectionId id : gone) update.gone_collections.push_back({id, true});
  Send(update);
}

void SimCatalogFeed::Send(const CatalogUpdate& update) {
  delivered_.emplace(update.revision, ComposeTimestamp(executor_->WallMillis() + 1));
  on_update_(update);
}

Timestamp SimCatalogFeed::DeliveredAt(int64_t revision) const {
  const auto it = delivered_.lower_bound(revision);
  return it == delivered_.end() ? std::numeric_limits<Timestamp>::max() : it->second;
}

void SimCatalogFeed::Refresh(CollectionId, Callback<Status> done) {
  executor_->PostAfter(random_.Millis(1, 40), alive_.Guard([this, done = std::move(done)] {
    if (faults_->etcd_down || random_.Chance(faults_->refresh_error)) {
      done(RetryError("simulated: etcd is away"));
      return;
    }
    if (listed_ && faults_->etcd_wiped) {
      done(OkStatus());
    } else if (listed_) {
      const std::weak_ptr<bool> alive = alive_.Token();
      Deliver(source_->events().size());
      if (alive.expired()) return;
      done(OkStatus());
    } else {
      done(RetryError("simulated: listing"));
    }
  }));
}

}  // namespace cdc::sim
