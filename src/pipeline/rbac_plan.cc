#include "pipeline/rbac_plan.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace cdc {
namespace {

using Kind = RbacStep::Kind;

RbacGrant Mapped(const RbacGrant& grant, const Selection& selection) {
  RbacGrant mapped = grant;
  const bool of_user = grant.object != kCollectionObject && grant.object != kGlobalObject;
  if (of_user || grant.database == kAnyName) return mapped;
  if (grant.object_name == kAnyName) {
    mapped.database = selection.MapDatabase(grant.database);
    return mapped;
  }
  const TargetName name = selection.Map(grant.database, grant.object_name);
  mapped.database = name.database;
  mapped.object_name = name.collection;
  return mapped;
}

template <typename T>
std::set<T> Without(const std::set<T>& a, const std::set<T>& b) {
  std::set<T> rest;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::inserter(rest, rest.end()));
  return rest;
}

template <typename T>
std::set<T> Both(const std::set<T>& a, const std::set<T>& b) {
  std::set<T> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(both, both.end()));
  return both;
}

RbacStep Named(Kind kind, std::string name, std::string role = "") {
  RbacStep step;
  step.kind = kind;
  step.name = std::move(name);
  step.role = std::move(role);
  return step;
}

RbacStep OfGrant(Kind kind, const RbacGrant& grant) {
  RbacStep step;
  step.kind = kind;
  step.grant = grant;
  return step;
}

RbacStep OfGroup(Kind kind, const std::string& name, std::set<std::string> privileges) {
  RbacStep step = Named(kind, name);
  step.privileges = std::move(privileges);
  return step;
}

const std::set<std::string>& PrivilegesOf(const RbacCatalog& catalog, const std::string& group) {
  static const std::set<std::string> kNone;
  const auto it = catalog.groups.find(group);
  return it == catalog.groups.end() ? kNone : it->second;
}

void PlanCreations(const RbacCatalog& wanted, const TargetRbac& target,
                   std::vector<RbacStep>* steps) {
  const RbacCatalog& has = target.catalog;
  for (const auto& [name, privileges] : wanted.groups) {
    if (!target.has_groups) break;
    if (!has.groups.contains(name)) steps->push_back(Named(Kind::kCreateGroup, name));
    std::set<std::string> missing = Without(privileges, PrivilegesOf(has, name));
    if (!missing.empty()) steps->push_back(OfGroup(Kind::kAddToGroup, name, std::move(missing)));
  }
  for (const std::string& role : Without(wanted.roles, has.roles)) {
    if (!IsBuiltInRole(role)) steps->push_back(Named(Kind::kCreateRole, role));
  }
  for (const auto& [user, hash] : wanted.users) {
    if (has.users.contains(user)) continue;
    RbacStep step = Named(Kind::kCreateUser, user);
    step.password_hash = hash;
    steps->push_back(std::move(step));
  }
  for (const RbacGrant& grant : Without(wanted.grants, has.grants)) {
    if (grant.group && !target.has_groups) continue;
    steps->push_back(OfGrant(Kind::kGrant, grant));
  }
  for (const auto& [user, role] : Without(wanted.bindings, has.bindings)) {
    steps->push_back(Named(Kind::kBind, user, role));
  }
}

void PlanRemovals(const RbacCatalog& wanted, const TargetRbac& target, const RbacCatalog& known,
                  std::vector<RbacStep>* steps) {
  const RbacCatalog& has = target.catalog;
  for (const auto& [user, role] : Both(Without(known.bindings, wanted.bindings), has.bindings)) {
    steps->push_back(Named(Kind::kUnbind, user, role));
  }
  for (const RbacGrant& grant : Without(known.grants, wanted.grants)) {
    if (has.grants.contains(grant)) steps->push_back(OfGrant(Kind::kRevoke, grant));
  }
  for (const auto& [user, hash] : known.users) {
    const bool away = !wanted.users.contains(user) && has.users.contains(user);
    if (away) steps->push_back(Named(Kind::kDropUser, user));
  }
  for (const std::string& role : Both(Without(known.roles, wanted.roles), has.roles)) {
    if (!IsBuiltInRole(role)) steps->push_back(Named(Kind::kDropRole, role));
  }
  for (const auto& [name, privileges] : known.groups) {
    if (!has.groups.contains(name)) continue;
    if (!wanted.groups.contains(name)) {
      steps->push_back(Named(Kind::kDropGroup, name));
      continue;
    }
    std::set<std::string> surplus =
        Both(Without(privileges, PrivilegesOf(wanted, name)), PrivilegesOf(has, name));
    if (surplus.empty()) continue;
    steps->push_back(OfGroup(Kind::kRemoveFromGroup, name, std::move(surplus)));
  }
}

void AddGrants(const RbacCatalog& catalog, RbacScope* scope) {
  for (const std::string& role : catalog.roles) scope->try_emplace(role);
  for (const RbacGrant& grant : catalog.grants) {
    std::set<std::string>& databases = (*scope)[grant.role];
    if (grant.database != kAnyName) databases.insert(grant.database);
  }
}

}  // namespace

RbacCatalog WantedRbac(const RbacCatalog& source, const Selection& selection,
                       const std::set<std::string>& untouched) {
  RbacCatalog wanted;
  wanted.roles = source.roles;
  wanted.groups = source.groups;
  for (const auto& [user, hash] : source.users) {
    if (!untouched.contains(user)) wanted.users.emplace(user, hash);
  }
  for (const auto& [user, role] : source.bindings) {
    if (!untouched.contains(user)) wanted.bindings.emplace(user, role);
  }
  for (const RbacGrant& grant : source.grants) wanted.grants.insert(Mapped(grant, selection));
  return wanted;
}

std::vector<RbacStep> PlanRbac(const RbacCatalog& wanted, const TargetRbac& has,
                               const RbacCatalog& known) {
  std::vector<RbacStep> steps;
  PlanCreations(wanted, has, &steps);
  PlanRemovals(wanted, has, known, &steps);
  return steps;
}

void RememberRbac(const RbacCatalog& seen, RbacCatalog* known) {
  for (const auto& [user, hash] : seen.users) known->users.try_emplace(user);
  known->roles.insert(seen.roles.begin(), seen.roles.end());
  known->bindings.insert(seen.bindings.begin(), seen.bindings.end());
  known->grants.insert(seen.grants.begin(), seen.grants.end());
  for (const auto& [name, privileges] : seen.groups) {
    known->groups[name].insert(privileges.begin(), privileges.end());
  }
}

void ForgetRbac(const RbacCatalog& wanted, const RbacCatalog& has, RbacCatalog* known) {
  const auto over = [](const auto& here, const auto& there) {
    return
        [&here, &there](const auto& item) { return !here.contains(item) && !there.contains(item); };
  };
  std::erase_if(known->users,
                [&](const auto& entry) { return over(wanted.users, has.users)(entry.first); });
  std::erase_if(known->roles, over(wanted.roles, has.roles));
  std::erase_if(known->bindings, over(wanted.bindings, has.bindings));
  std::erase_if(known->grants, over(wanted.grants, has.grants));
  for (auto& [name, privileges] : known->groups) {
    std::erase_if(privileges, over(PrivilegesOf(wanted, name), PrivilegesOf(has, name)));
  }
  std::erase_if(known->groups,
                [&](const auto& entry) { return over(wanted.groups, has.groups)(entry.first); });
}

RbacScope ScopeOf(const RbacCatalog& wanted, const RbacCatalog& known) {
  RbacScope scope;
  AddGrants(wanted, &scope);
  AddGrants(known, &scope);
  return scope;
}

}  // namespace cdc
