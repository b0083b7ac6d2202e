// The catalog of a source, fed from etcd: a CatalogFeed over EtcdClient and CatalogState.
//
// It lists every key at one revision, then watches from the next; when the watch is lost or its
// revision compacted it lists again, with back-off. Two threads of its own do the blocking calls
// (one watches, one refreshes); callbacks run on the executor given here. The feed is created,
// called and destroyed on that executor (or after it has stopped); destroying it waits a few
// milliseconds for its threads, and nothing is called afterwards.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/executor.h"
#include "base/result.h"
#include "client/etcd/etcd_client.h"
#include "model/catalog.h"
#include "pipeline/ports.h"
#include "source/catalog_keys.h"

namespace cdc {

std::unique_ptr<CatalogFeed> MakeEtcdCatalogFeed(EtcdConfig config, const std::string& root_path,
                                                 const std::string& meta_sub_path,
                                                 Executor* executor);

// The same over a client of the caller's making. `open` is called on a thread of the feed, again
// after an error; the client must be safe from two threads.
using EtcdClientFactory = std::function<Result<std::unique_ptr<EtcdClient>>()>;
std::unique_ptr<CatalogFeed> MakeCatalogFeed(EtcdClientFactory open, CatalogKeys keys,
                                             Executor* executor);

}  // namespace cdc
