#include "store/rbac_json.h"

#include <nlohmann/json.hpp>

#include "base/json_text.h"

namespace cdc {
namespace {

using nlohmann::json;

// Throws as json does.
RbacGrant GrantFrom(const json& j) {
  return {j.at(0), j.at(1), j.at(2), j.at(3), j.at(4), j.at(5).get<bool>()};
}

}  // namespace

std::string RbacToJson(const RbacCatalog& catalog) {
  json users = json::array();
  for (const auto& [user, hash] : catalog.users) users.push_back(user);
  json bindings = json::array();
  for (const auto& [user, role] : catalog.bindings) bindings.push_back(json::array({user, role}));
  json grants = json::array();
  for (const RbacGrant& g : catalog.grants) {
    grants.push_back(
        json::array({g.role, g.object, g.database, g.object_name, g.privilege, g.group}));
  }
  json groups = json::object();
  for (const auto& [group, privileges] : catalog.groups) groups[group] = privileges;
  const json all = {{"users", std::move(users)},
                    {"roles", catalog.roles},
                    {"bindings", std::move(bindings)},
                    {"grants", std::move(grants)},
                    {"groups", std::move(groups)}};
  return JsonLine(all);
}

Result<RbacCatalog> RbacFromJson(const std::string& text) {
  try {
    const json all = json::parse(text);
    RbacCatalog catalog;
    for (const json& user : all.value("users", json::array())) catalog.users[user] = "";
    catalog.roles = all.value("roles", catalog.roles);
    for (const json& pair : all.value("bindings", json::array())) {
      catalog.bindings.emplace(pair.at(0), pair.at(1));
    }
    for (const json& grant : all.value("grants", json::array())) {
      catalog.grants.insert(GrantFrom(grant));
    }
    catalog.groups = all.value("groups", catalog.groups);
    return catalog;
  } catch (const std::exception& e) {
    return CorruptError(std::string("stored users and roles cannot be read: ") + e.what());
  }
}

}  // namespace cdc
