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

namespace cdc {

class SourceRuntime {
 public:
  explicit SourceRuntime(const SourceConfig& config);

  std::unique_ptr<CatalogFeed> OpenCatalog(Executor* executor) const;
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
  const std::string& operation_topic() const { return config_.replicate_channel; }

 private:
  const SourceConfig config_;
  std::shared_ptr<RawLog> log_;
};

}  // namespace cdc
