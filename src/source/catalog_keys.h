// Where Milvus keeps its metadata in etcd, under "<root path>/<meta sub path>/".
//
// Pure functions and a plain value; any thread. Layout of 2.3 to 2.6, and the keys without a
// database that a Milvus upgraded from before 2.2.9 still has.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/etcd/etcd_client.h"
#include "model/ids.h"

namespace cdc {

// Objects under keys without a database belong to it.
inline constexpr DatabaseId kLegacyDatabase = 1;

struct CatalogKey {
  enum class Kind {
    kDatabase,       // owner: database
    kCollection,     // owner: database, id: collection
    kField,          // owner: collection, id: field
    kFunction,       // owner: collection, id: function (2.5)
    kPartition,      // owner: collection, id: partition
    kAlias,          // owner: database, alias
    kIndex,          // owner: collection, id: index
    kLoad,           // owner: collection
    kPartitionLoad,  // owner: collection, id: partition
  };
  Kind kind = Kind::kDatabase;
  int64_t owner = 0;
  int64_t id = 0;
  std::string alias;
};

class CatalogKeys {
 public:
  // Slashes at the ends of the paths do not matter; an empty part is left out.
  CatalogKeys(const std::string& root_path, const std::string& meta_sub_path);

  // "<root>/<meta>/"
  const std::string& prefix() const { return prefix_; }

  // nullopt: a key that the catalog does not need.
  std::optional<CatalogKey> Parse(std::string_view key) const;

  // One interval that holds every key of the catalog, and little else: neither the segments, nor
  // the snapshots/, which sort before and behind it. One watch thus sees all changes in order.
  EtcdInterval Everything() const;
  EtcdInterval Databases() const;
  // All keys of one collection, its aliases excepted (they are keyed by name).
  std::vector<EtcdInterval> OfCollection(CollectionId collection,
                                         const std::vector<DatabaseId>& databases) const;

 private:
  std::string prefix_;
};

}  // namespace cdc
