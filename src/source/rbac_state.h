// RbacState: turns single etcd keys of a source into its users, roles and grants.
//
// Pure and deterministic. Owned by an RbacBoard, not thread-safe, never blocks. Keys come in the
// order of their revisions. A value that cannot be decoded keeps what was known before, and
// TakeProblems() tells.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "model/rbac.h"
#include "source/rbac_keys.h"

namespace cdc {

class RbacState {
 public:
  // `prefix`: "<root>/<meta>/".
  explicit RbacState(std::string prefix) : prefix_(std::move(prefix)) {}

  void Clear();
  // False: a key of something else.
  bool Put(std::string_view key, std::string_view value);
  bool Delete(std::string_view key);

  // What hangs on a user or a role that is not there is left out: Milvus leaves some of it behind
  // when it drops one.
  RbacCatalog Catalog() const;
  // Values that could not be decoded since the last call, one line each; no secrets.
  std::vector<std::string> TakeProblems() { return std::exchange(problems_, {}); }

 private:
  using Grantee = std::tuple<std::string, std::string, std::string>;  // role, object type, name

  void PutGroup(const std::string& name, std::string_view key, std::string_view value);

  const std::string prefix_;
  std::map<std::string, std::string> users_;  // name -> hash, a secret
  std::set<std::string> roles_;
  std::set<std::pair<std::string, std::string>> bindings_;
  std::map<Grantee, std::string> grantees_;                  // -> id
  std::map<std::string, std::set<std::string>> privileges_;  // id -> as stored
  std::map<std::string, std::set<std::string>> groups_;
  std::vector<std::string> problems_;
};

}  // namespace cdc
