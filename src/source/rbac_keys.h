// Where Milvus keeps users, roles and grants in etcd, under "<root path>/<meta sub path>/".
//
// Pure functions; any thread. Layout of 2.3 to 2.6; privilege groups since 2.4.16.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cdc {

struct RbacKey {
  enum class Kind {
    kUser,       // user
    kRole,       // role
    kBinding,    // user, role
    kGrantee,    // role, object type, "database.name" or "name" of the default database
    kPrivilege,  // id that the value of a kGrantee names, privilege
    kGroup,      // privilege group
  };
  Kind kind = Kind::kUser;
  std::vector<std::string> parts;  // as listed
};

// `prefix`: "<root>/<meta>/". nullopt: a key of something else.
std::optional<RbacKey> ParseRbacKey(std::string_view prefix, std::string_view key);

}  // namespace cdc
