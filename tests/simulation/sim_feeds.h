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

// Rates of trouble; healed at the end of a run.
struct SourceFaults {
  double read_error = 0;
  double slow_read = 0;  // a read takes up to two seconds
  bool etcd_down = false;
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

 private:
  class Reader;
  SimSource* const source_;
  SimExecutor* const executor_;
  Random random_;
  const SourceFaults* const faults_;
};

class SimCatalogFeed final : public CatalogFeed {
 public:
  SimCatalogFeed(SimSource* source, SimExecutor* executor, Random random,
                 const SourceFaults* faults);

  void Start(Callback<CatalogUpdate> on_update, Callback<Status> on_trouble) override;
  void Refresh(CollectionId collection, Callback<Status> done) override;
  // When everything up to `revision` was delivered, as source time; the highest number: not yet.
  Timestamp DeliveredAt(int64_t revision) const;

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
