// A target that accepts everything and keeps no rows: for measuring what comes before it.
//
// BlackholeTarget remembers the collections that were created, so that Describe answers truly.
// Admin and sink in one object, used on the executor (which must outlive it); nothing blocks,
// nothing fails but a step on a collection that does not exist (kNotFound).
#pragma once

#include <map>
#include <set>

#include "base/executor.h"
#include "pipeline/ports.h"

namespace cdc {

class BlackholeTarget final : public TargetAdmin, public DataSink {
 public:
  explicit BlackholeTarget(Executor* executor) : executor_(executor) {}

  void ListDatabases(Callback<Result<std::vector<std::string>>> done) override;
  void Describe(TargetName name, Callback<Result<std::optional<TargetCollection>>> done) override;
  void Apply(DdlStep step, Callback<Status> done) override;

  void Send(std::shared_ptr<const LaneBatch> batch, Callback<size_t> progress,
            Callback<SendOutcome> done) override;
  void Drain(const std::string& lane, Callback<Status> done) override;

  uint64_t rows() const { return rows_; }  // inserted and deleted ones

 private:
  Status ApplyNow(const DdlStep& step);
  void Create(const DdlStep& step);

  Executor* executor_;
  std::set<std::string> databases_ = {kDefaultDatabase};
  std::map<TargetName, TargetCollection> collections_;
  int64_t last_id_ = 0;
  uint64_t rows_ = 0;
  Alive alive_;
};

}  // namespace cdc
