// The databases that the contract tests run on: those that need no server, and real servers when
// the environment names them: CDC_TEST_ETCD=[user:password@]host:port, CDC_TEST_MYSQL=DSN.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "store/kv_db.h"
#include "store/store.h"

namespace cdc {

// One empty store that lasts as long as this object. Open it as often as needed, one at a time.
class StoreBackend {
 public:
  virtual ~StoreBackend() = default;
  virtual Result<std::unique_ptr<Store>> Open() = 0;
};
std::vector<std::string> StoreBackends();
std::unique_ptr<StoreBackend> MakeStoreBackend(const std::string& name);

// The same for a KvDb; several handles may be open.
class KvBackend {
 public:
  virtual ~KvBackend() = default;
  virtual Result<std::unique_ptr<KvDb>> Open() = 0;
};
std::vector<std::string> KvBackends();
std::unique_ptr<KvBackend> MakeKvBackend(const std::string& name);

}  // namespace cdc
