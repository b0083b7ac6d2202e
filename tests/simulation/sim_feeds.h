// SimLog, SimCatalogFeed: the pipeline's ports over a SimSource, with delays and passing errors.
// Both obey ports.h: callbacks on the executor, once, never before the call returned, none after
// the reader or feed is destroyed.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pipeline/ports.h"
#include "sim_source.h"

namespace cdc::sim {

inline constexpr uint64_t kClusterId = 77;  // of the source's etcd

// Rates of trouble; healed at the end of a run.
struct SourceFaults {
  double read_error = 0;
  double slow_read = 0;  // a read takes up to two seconds
  bool etcd_down = false;
  CollectionId lost_key = 0;  // etcd shows nothing of this one
  bool etcd_wiped = false;    // it answers as another one, which is empty
  double refresh_error = 0;
};

class SimLog final : public LogSource {
 public:
  SimLog(SimSource* source, SimExecutor* executor, Random random, const SourceFaults* faults)
      : source_(source), executor_(executor), random_(random), faults_(faults) {}

  std::unique_ptr<LogReader> Open(const std::string& channel, LogPosition from) override;
  void Latest(std::vector<std::string> channels,
              Callback<Result<std::map<std::string, LogPosition>>> done) override;
  Result<LogId> DecodeId(const std::string& bytes) const override { return ParseLogId(bytes); }

  // Retention took everything that the logs hold now.
  void Truncate();
  // By channel: when (wall time) its reader was told first that its position is gone.
  const std::map<int, int64_t>& told_gone() const { return told_gone_; }

 private:
  class Reader;
  SimSource* const source_;
  SimExecutor* const executor_;
  Random random_;
  const SourceFaults* const faults_;
  std::map<int, uint64_t> gone_;
  std::map<int, int64_t> told_gone_;
};

class SimCatalogFeed final : public CatalogFeed {
 public:
  SimCatalogFeed(SimSource* source, SimExecutor* executor, Random random,
                 const SourceFaults* faults);

  void Start(Callback<CatalogUpdate> on_update, Callback<Status> on_trouble) override;
  void Relist();
  void Refresh(CollectionId collection, Callback<Status> done) override;
  // When everything up to `revision` was delivered, as source time; the highest number: not yet.
  Timestamp DeliveredAt(int64_t revision) const;
  // Everything that the source's etcd holds was delivered.
  bool IsUpToDate() const { return listed_ && next_ == source_->events().size(); }

 private:
  void List();
  void Schedule();
  void Deliver(size_t upto);
  void Send(const CatalogUpdate& update);

  SimSource* const source_;
  SimExecutor* const executor_;
  Random random_;
  const SourceFaults* const faults_;
  Callback<CatalogUpdate> on_update_;
  Callback<Status> on_trouble_;
  bool listed_ = false;
  bool scheduled_ = false;
  size_t next_ = 0;
  std::map<int64_t, Timestamp> delivered_;  // by revision
  Alive alive_;
};

}  // namespace cdc::sim
