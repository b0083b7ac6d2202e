// The catalog of a source, followed in etcd once for all its tasks.
//
// It lists every key at one revision, then watches from the next; when the watch is lost or its
// revision compacted it lists again, with back-off. A feed that joins later begins with a listing
// of its own, made after it joined; those that wait at the same time share one. Two threads do the
// blocking calls (one watches, one lists and refreshes), as long as there is a feed.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "base/executor.h"
#include "base/result.h"
#include "client/etcd/etcd_client.h"
#include "pipeline/ports.h"
#include "pipeline/rbac_ports.h"
#include "source/catalog_keys.h"

namespace cdc {

// Called on a thread of the catalog, again after an error; the client must be safe from two
// threads.
using EtcdClientFactory = std::function<Result<std::unique_ptr<EtcdClient>>()>;

class CatalogHub;

class SourceCatalog {
 public:
  SourceCatalog(EtcdClientFactory open, CatalogKeys keys);
  ~SourceCatalog();

  // From any thread. The feed is called and destroyed on `executor` (or after that has stopped),
  // which runs its callbacks; nothing is called after its end. It may outlive the catalog.
  // Destroying the last one waits a few milliseconds for the threads.
  std::unique_ptr<CatalogFeed> Open(Executor* executor);
  // Its users and roles, from the same watch; by the same rules.
  std::unique_ptr<RbacFeed> OpenRbac(Executor* executor);

 private:
  std::shared_ptr<CatalogHub> Hub();

  const EtcdClientFactory open_;
  const CatalogKeys keys_;
  std::mutex mutex_;
  std::weak_ptr<CatalogHub> hub_;
};

}  // namespace cdc
