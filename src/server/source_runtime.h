// SourceRuntime: the one source of this process, as the tasks reach it: etcd for the catalog and
// the message queue for the log. Owned by the server; its calls are safe from any thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/executor.h"
#include "client/raw_log.h"
#include "pipeline/ports.h"
#include "server/config.h"
#include "source/catalog_feed.h"
#include "source/read_budget.h"

namespace cdc {

class SourceRuntime {
 public:
  // Connects in the background. Errors: kInvalid when the configuration cannot work.
  static Result<std::unique_ptr<SourceRuntime>> Open(const SourceConfig& config);

  std::unique_ptr<CatalogFeed> OpenCatalog(Executor* executor);
  std::unique_ptr<RbacFeed> OpenRbac(Executor* executor);
  std::unique_ptr<LogSource> OpenLog(Executor* executor) const;
  std::unique_ptr<OperationSource> OpenOperations(Executor* executor) const;

  // Blocks. What exists now; errors say which address or path is wrong.
  Result<CatalogUpdate> ListCatalog() const;
  // Blocks up to `timeout`. The end of each channel and of the operation topic.
  Result<std::map<std::string, LogPosition>> LatestPositions(const std::set<std::string>& channels,
                                                             Duration timeout) const;
  // Blocks up to `timeout` for each. The time of the oldest message that the log holds of a
  // channel; empty channels are left out.
  Result<std::map<std::string, Timestamp>> OldestHeld(const std::set<std::string>& channels,
                                                      Duration timeout) const;
  // Blocks up to `timeout`. What the log holds before these places of its channels. Errors: kRetry;
  // kPositionGone when one of them is no longer held.
  Result<std::map<std::string, HeldLog>> Held(std::map<std::string, LogPosition> places,
                                              Duration timeout) const;
  // A message id as the source's Milvus writes it.
  Result<LogId> DecodeId(const std::string& bytes) const { return log_->DecodeId(bytes); }
  const std::string& operation_topic() const { return config_.replicate_channel; }

 private:
  SourceRuntime(const SourceConfig& config, std::shared_ptr<RawLog> log);
  Error NoAnswer() const;

  const SourceConfig config_;
  const std::shared_ptr<ReadBudget> budget_;  // of all targets
  const std::shared_ptr<RawLog> log_;
  SourceCatalog catalog_;
};

}  // namespace cdc
