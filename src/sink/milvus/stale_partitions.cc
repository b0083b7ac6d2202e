#include "sink/milvus/stale_partitions.h"

#include <map>
#include <utility>

namespace cdc {

void RefreshPartitions(MilvusClient* client, const TargetName& name, const std::string& partition,
                       MilvusDone<Status> done) {
  client->ShowPartitions(name, [client, name, partition, done = std::move(done)](
                                   const Result<std::map<std::string, PartitionId>>& there) {
    if (!there) return done(there.error());
    const auto found = there->find(partition);
    if (found == there->end()) return done(FatalError("no such partition", ErrorKind::kNotFound));
    // Every partition its own: two of a collection may need this at once.
    const std::string alias = "cdc_refresh_" + std::to_string(found->second);
    client->CreateAlias(name, alias, [client, name, alias, done](const Status& made) {
      if (!made.ok() && made.error().kind != ErrorKind::kAlreadyExists) return done(made);
      client->DropAlias(name.database, alias, [done](const Status& dropped) {
        const bool gone = dropped.ok() || dropped.error().kind == ErrorKind::kNotFound;
        done(gone ? OkStatus() : dropped);
      });
    });
  });
}

}  // namespace cdc
