#include "source/rbac_state.h"

#include "client/milvus/meta_codec.h"
#include "client/milvus/rbac_codec.h"
#include "model/ids.h"

namespace cdc {
namespace {

using Kind = RbacKey::Kind;

}  // namespace

void RbacState::Clear() {
  users_.clear();
  roles_.clear();
  bindings_.clear();
  grantees_.clear();
  privileges_.clear();
  groups_.clear();
}

bool RbacState::Put(std::string_view key, std::string_view value) {
  if (IsTombstone(value)) return Delete(key);
  const auto parsed = ParseRbacKey(prefix_, key);
  if (!parsed) return false;
  const std::vector<std::string>& parts = parsed->parts;
  switch (parsed->kind) {
    case Kind::kUser: {
      const Result<std::string> hash = DecodePasswordHash(value);
      std::string& known = users_[parts[0]];
      if (hash.ok()) known = *hash;
      if (!hash.ok()) problems_.push_back(std::string(key) + ": " + hash.error().message);
      break;
    }
    case Kind::kRole:
      roles_.insert(parts[0]);
      break;
    case Kind::kBinding:
      bindings_.emplace(parts[0], parts[1]);
      break;
    case Kind::kGrantee:
      grantees_[{parts[0], parts[1], parts[2]}] = value;
      break;
    case Kind::kPrivilege:
      privileges_[parts[0]].insert(parts[1]);
      break;
    case Kind::kGroup:
      PutGroup(parts[0], key, value);
      break;
  }
  return true;
}

void RbacState::PutGroup(const std::string& name, std::string_view key, std::string_view value) {
  Result<PrivilegeGroupValue> group = DecodePrivilegeGroup(value);
  if (!group.ok()) {
    problems_.push_back(std::string(key) + ": " + group.error().message);
    return;
  }
  groups_[name] = std::move(group->privileges);
}

bool RbacState::Delete(std::string_view key) {
  const auto parsed = ParseRbacKey(prefix_, key);
  if (!parsed) return false;
  const std::vector<std::string>& parts = parsed->parts;
  switch (parsed->kind) {
    case Kind::kUser:
      users_.erase(parts[0]);
      break;
    case Kind::kRole:
      roles_.erase(parts[0]);
      break;
    case Kind::kBinding:
      bindings_.erase({parts[0], parts[1]});
      break;
    case Kind::kGrantee:
      grantees_.erase({parts[0], parts[1], parts[2]});
      break;
    case Kind::kPrivilege: {
      const auto it = privileges_.find(parts[0]);
      if (it == privileges_.end()) break;
      it->second.erase(parts[1]);
      if (it->second.empty()) privileges_.erase(it);
      break;
    }
    case Kind::kGroup:
      groups_.erase(parts[0]);
      break;
  }
  return true;
}

RbacCatalog RbacState::Catalog() const {
  RbacCatalog catalog;
  catalog.users = users_;
  catalog.roles = roles_;
  catalog.groups = groups_;
  const auto is_role = [&](const std::string& role) {
    return roles_.contains(role) || IsBuiltInRole(role);
  };
  for (const auto& [user, role] : bindings_) {
    if (users_.contains(user) && is_role(role)) catalog.bindings.emplace(user, role);
  }
  for (const auto& [grantee, id] : grantees_) {
    const auto& [role, object, name] = grantee;
    const auto privileges = privileges_.find(id);
    if (privileges == privileges_.end() || !is_role(role)) continue;
    RbacGrant grant;
    grant.role = role;
    grant.object = object;
    const size_t dot = name.find('.');
    grant.database = dot == std::string::npos ? kDefaultDatabase : name.substr(0, dot);
    grant.object_name = dot == std::string::npos ? name : name.substr(dot + 1);
    for (const std::string& stored : privileges->second) {
      const PrivilegeValue privilege = PrivilegeFromMeta(stored);
      grant.privilege = privilege.name;
      grant.group = privilege.group;
      catalog.grants.insert(grant);
    }
  }
  return catalog;
}

}  // namespace cdc
