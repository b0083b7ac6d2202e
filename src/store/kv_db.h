// KvDb: a small transactional key-value database, what KvTables needs of etcd and MySQL. For store/
// and whoever opens a store.
//
// Keys are short texts (at most 400 bytes), values any bytes; both are relative to the place in the
// database that the implementation was opened with. One thread at a time; every call blocks for a
// few seconds at most. Reads are linearizable: they see every commit that was answered before.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace cdc {

struct KvCondition {
  enum class Kind { kAbsent, kPresent, kEquals };
  std::string key;
  Kind kind = Kind::kPresent;
  std::string value;  // for kEquals
};

struct KvChanges {
  std::map<std::string, std::optional<std::string>> keys;  // no value: the key is erased
  // Every key that begins so is erased; none of `keys` does.
  std::vector<std::string> erased_prefixes;

  size_t operations() const { return keys.size() + erased_prefixes.size(); }
};

// Of one commit. A KvDb may take more; it takes at least this.
struct KvLimits {
  size_t operations = 0;  // changes, and likewise conditions
  size_t bytes = 0;       // keys and values together
};

// Where a store lies below a configured root path, which the existing Milvus-CDC shares.
inline std::string KvPlace(const std::string& root_path) {
  return root_path.empty() ? "milvus-cdc/" : root_path + "/milvus-cdc/";
}

class KvDb {
 public:
  virtual ~KvDb() = default;

  // Errors of all calls: kRetry (database away or busy: nothing was changed), kInvalid (it refuses
  // us: user, password, rights), other fatal ones.
  virtual Result<std::optional<std::string>> Get(const std::string& key) = 0;
  // All that begin with `prefix`, as of one moment.
  virtual Result<std::map<std::string, std::string>> List(const std::string& prefix) = 0;
  // Makes all changes durable in one step if all conditions hold. False: one does not, and nothing
  // was changed. kRetry of kUnknownOutcome: it may have been made, or may be made later still.
  virtual Result<bool> Commit(const std::vector<KvCondition>& conditions,
                              const KvChanges& changes) = 0;
  virtual KvLimits limits() const = 0;
  // Which database, and where in it, for messages; no secret.
  virtual std::string name() const = 0;
};

}  // namespace cdc
