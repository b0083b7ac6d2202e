// Reads a source's catalog once, for checks when a task is created. Blocks; any thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "client/etcd/etcd_client.h"
#include "model/catalog.h"

namespace cdc {

// Everything as one full update. Errors: kRetry (etcd away), kNotFound (no Milvus metadata under
// "<root>/<meta>"; the text names the paths that have some), kInvalid (etcd refuses us).
Result<CatalogUpdate> ListCatalog(const EtcdConfig& config, const std::string& root_path,
                                  const std::string& meta_sub_path);

// Paths "<root>/<meta>" of this etcd with Milvus metadata under them, at most three names deep. A
// handful of single-key reads, however much etcd holds.
Result<std::vector<std::string>> FindCatalogPaths(EtcdClient* etcd);

}  // namespace cdc
