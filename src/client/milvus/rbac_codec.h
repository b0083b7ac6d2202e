// What Milvus keeps of users and roles in etcd, value by value. Own types only.
//
// Pure functions, any thread. Errors: corrupt; no text holds a password or its hash. Layout of 2.3
// to 2.6.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cdc {

// The bcrypt hash (a secret) out of a user's value, which is JSON.
Result<std::string> DecodePasswordHash(std::string_view value);

struct PrivilegeGroupValue {
  std::string name;
  std::set<std::string> privileges;
};
Result<PrivilegeGroupValue> DecodePrivilegeGroup(std::string_view value);

struct PrivilegeValue {
  std::string name;    // as the API has it
  bool group = false;  // it is a privilege group
};
// "PrivilegeInsert" -> "Insert"; "PrivilegeGroupreaders" -> group "readers"; "*" stays.
PrivilegeValue PrivilegeFromMeta(std::string_view stored);

}  // namespace cdc
