// Users, roles and what they may do: what a source has, what a target has, and the steps that make
// them equal. Plain values.
//
// Names of privileges are those of Milvus' API ("Insert", "*", or the name of a privilege group).
// Passwords and their hashes are secrets: they are in no text that this file makes.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace cdc {

inline constexpr const char* kRootUser = "root";
inline constexpr const char* kAdminRole = "admin";
inline constexpr const char* kPublicRole = "public";
inline constexpr const char* kCollectionObject = "Collection";
inline constexpr const char* kGlobalObject = "Global";
inline constexpr const char* kAnyName = "*";

// Does every Milvus have this role by itself?
inline bool IsBuiltInRole(const std::string& role) {
  return role == kAdminRole || role == kPublicRole;
}

// One privilege of a role. Who granted it is no part of it: on a target that is whom we log in as.
struct RbacGrant {
  std::string role;
  std::string object;       // "Collection", "Global" or "User"
  std::string database;     // "*": every one
  std::string object_name;  // of a collection or a user; "*": every one
  std::string privilege;
  bool group = false;  // the privilege is a group of privileges; no part of the grant's identity

  auto Identity() const { return std::tie(role, object, database, object_name, privilege); }
  friend bool operator==(const RbacGrant& a, const RbacGrant& b) {
    return a.Identity() == b.Identity();
  }
  friend bool operator<(const RbacGrant& a, const RbacGrant& b) {
    return a.Identity() < b.Identity();
  }
};

struct RbacCatalog {
  std::map<std::string, std::string> users;  // name -> bcrypt hash (a secret), empty: unknown
  std::set<std::string> roles;
  std::set<std::pair<std::string, std::string>> bindings;  // user, role
  std::set<RbacGrant> grants;
  std::map<std::string, std::set<std::string>> groups;  // privilege group -> privileges
  bool operator==(const RbacCatalog&) const = default;
};

// All of a source's, as of one revision of its etcd.
struct RbacUpdate {
  uint64_t cluster_id = 0;
  int64_t revision = 0;
  RbacCatalog catalog;
};

// What the operation topic tells of a user. Passwords are as clients send them: base64.
struct CredentialOperation {
  enum class Kind { kCreate, kUpdate, kDelete };
  Kind kind = Kind::kCreate;
  std::string user;
  std::string password;      // kCreate, kUpdate: the new one; a secret
  std::string old_password;  // kUpdate; a secret
};

// One change of a target's users, roles or grants; which members count depends on `kind`.
struct RbacStep {
  enum class Kind {
    kCreateGroup,      // name
    kAddToGroup,       // name, privileges
    kCreateRole,       // name
    kCreateUser,       // name; password, or if that is empty password_hash
    kSetPassword,      // name, password, old_passwords
    kGrant,            // grant
    kBind,             // name, role
    kUnbind,           // name, role
    kRevoke,           // grant
    kDropUser,         // name
    kDropRole,         // name
    kRemoveFromGroup,  // name, privileges
    kDropGroup,        // name
  };
  Kind kind = Kind::kCreateRole;
  std::string name;
  std::string role;
  RbacGrant grant;
  std::set<std::string> privileges;
  std::string password;                    // base64; a secret
  std::string password_hash;               // a secret
  std::vector<std::string> old_passwords;  // what it may be before, base64; secrets
};

// "grant Insert on Collection default.books to role 'writer'", for logs and errors.
std::string ToString(const RbacGrant& grant);
std::string ToString(const RbacStep& step);

}  // namespace cdc
