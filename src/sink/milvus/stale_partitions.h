// A Milvus may refuse rows of a partition that it has: its proxy goes on with a list of the
// collection's partitions from before that one was made, for ever (seen with 2.3.5, once in 400
// partitions made while other rows are written; github.com/milvus-io/milvus, issue 36989, later
// versions too). Any change of the collection makes the proxy ask for the list again; an alias that
// comes and goes is one that nobody notices.
#pragma once

#include <string>

#include "client/milvus/milvus_client.h"

namespace cdc {

// Makes the target read its list of the collection's partitions again. Does not block; `done` runs
// on one of gRPC's threads, and `client` may end meanwhile: it waits. OK: `partition` is in it from
// now on. kNotFound: there is no such partition. Other errors: as the target answers.
void RefreshPartitions(MilvusClient* client, const TargetName& name, const std::string& partition,
                       MilvusDone<Status> done);

}  // namespace cdc
