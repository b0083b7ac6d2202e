// Writes to etcd, in transactions. Reading is EtcdClient's.
//
// Every call blocks, up to the call timeout times the number of endpoints; safe from any thread.
// Errors: kRetry (etcd away, busy or full: nothing was changed), kRetry of kUnknownOutcome (the
// connection was lost meanwhile: it may have been made, or may be made later still), fatal (wrong
// user, password or certificate; larger than the server takes). Error texts name endpoints, never
// the password.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "client/etcd/etcd_client.h"

namespace cdc {

struct EtcdCondition {
  enum class Kind { kAbsent, kPresent, kEquals };
  std::string key;
  Kind kind = Kind::kPresent;
  std::string value;  // for kEquals
};

// One transaction. etcd takes 128 conditions, 128 changes and 1.5 MiB by default.
struct EtcdTransaction {
  std::vector<EtcdCondition> conditions;
  std::vector<std::pair<std::string, std::string>> puts;  // each key once
  std::vector<EtcdInterval> deletes;                      // none holds a key that is put
};

class EtcdWriter {
 public:
  // Checks the configuration and reads the certificate files; does not connect.
  static Result<std::unique_ptr<EtcdWriter>> Open(EtcdConfig config);

  virtual ~EtcdWriter() = default;
  // Makes all changes if all conditions hold. False: one does not, and nothing was changed.
  virtual Result<bool> Commit(const EtcdTransaction& transaction) = 0;
};

}  // namespace cdc
