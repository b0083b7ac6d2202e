// FakeRbacTarget: a target's users and roles in memory, with the orders that Milvus refuses. For
// the unit tests of this folder.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "pipeline/rbac_ports.h"

namespace cdc {

class FakeRbacTarget final : public RbacAdmin {
 public:
  explicit FakeRbacTarget(Executor* executor) : executor_(executor) {
    has.roles = {kAdminRole, kPublicRole};
    AddUser(kRootUser, "root's");
  }

  void AddUser(const std::string& user, const std::string& password) {
    has.users.emplace(user, "");
    passwords[user] = password;
  }

  void List(RbacScope scope, Callback<Result<TargetRbac>> done) override {
    ++lists;
    executor_->Post([this, scope = std::move(scope), done = std::move(done)] {
      if (list_error) return done(*list_error);
      TargetRbac out{has, has_groups};
      std::erase_if(out.catalog.grants, [&](const RbacGrant& grant) {
        const auto asked = scope.find(grant.role);
        if (asked == scope.end()) return true;
        return grant.database != kAnyName && !asked->second.contains(grant.database);
      });
      done(std::move(out));
    });
  }

  void Apply(RbacStep step, Callback<Status> done) override {
    executor_->Post([this, step = std::move(step), done = std::move(done)] {
      std::optional<Error> error = fault ? fault(step) : std::nullopt;
      if (!error) error = Change(step);
      applied.push_back(ToString(step) + (error ? ": refused" : ""));
      done(error ? Status(*error) : OkStatus());
    });
  }

  // The texts of what was applied or refused since the last call.
  std::vector<std::string> TakeApplied() { return std::exchange(applied, {}); }

  RbacCatalog has;
  std::map<std::string, std::string> passwords;
  bool has_groups = true;
  bool takes_hashes = true;
  std::optional<Error> list_error;
  std::function<std::optional<Error>(const RbacStep&)> fault;
  int lists = 0;
  std::vector<std::string> applied;

 private:
  using Kind = RbacStep::Kind;

  static Error Refuse(const std::string& why, ErrorKind kind = ErrorKind::kOther) {
    return FatalError(why, kind);
  }

  std::optional<Error> Change(const RbacStep& step) {
    switch (step.kind) {
      case Kind::kCreateUser:
        return CreateUser(step);
      case Kind::kSetPassword:
        return SetPassword(step);
      case Kind::kDropUser:
        has.users.erase(step.name);
        passwords.erase(step.name);
        std::erase_if(has.bindings, [&](const auto& b) { return b.first == step.name; });
        return std::nullopt;
      case Kind::kCreateRole:
        has.roles.insert(step.name);
        return std::nullopt;
      case Kind::kDropRole:
        return DropRole(step.name);
      case Kind::kBind:
        if (!has.users.contains(step.name)) return Refuse("no such user");
        if (!has.roles.contains(step.role)) return Refuse("no such role");
        has.bindings.emplace(step.name, step.role);
        return std::nullopt;
      case Kind::kUnbind:
        has.bindings.erase({step.name, step.role});
        return std::nullopt;
      case Kind::kGrant:
        return Grant(step.grant);
      case Kind::kRevoke:
        if (!has.roles.contains(step.grant.role)) return Refuse("no such role");
        has.grants.erase(step.grant);
        return std::nullopt;
      default:
        return ChangeGroup(step);
    }
  }

  std::optional<Error> CreateUser(const RbacStep& step) {
    if (has.users.contains(step.name)) return Refuse("user exists", ErrorKind::kAlreadyExists);
    if (step.password.empty() && !takes_hashes) return Refuse("no", ErrorKind::kUnsupported);
    AddUser(step.name, step.password.empty() ? "of " + step.password_hash : step.password);
    return std::nullopt;
  }

  std::optional<Error> SetPassword(const RbacStep& step) {
    const auto user = passwords.find(step.name);
    if (user == passwords.end()) return Refuse("no such user", ErrorKind::kNotFound);
    const auto& old = step.old_passwords;
    const bool known = user->second == step.password ||
                       std::find(old.begin(), old.end(), user->second) != old.end();
    if (!known) return Refuse("old password not correct", ErrorKind::kConflict);
    user->second = step.password;
    return std::nullopt;
  }

  std::optional<Error> DropRole(const std::string& role) {
    const bool granted = std::any_of(has.grants.begin(), has.grants.end(),
                                     [&](const RbacGrant& grant) { return grant.role == role; });
    if (granted) return Refuse("the role has privileges");
    has.roles.erase(role);
    std::erase_if(has.bindings, [&](const auto& binding) { return binding.second == role; });
    return std::nullopt;
  }

  std::optional<Error> Grant(const RbacGrant& grant) {
    if (!has.roles.contains(grant.role)) return Refuse("no such role");
    if (grant.group && !has.groups.contains(grant.privilege)) return Refuse("no such group");
    has.grants.insert(grant);
    return std::nullopt;
  }

  std::optional<Error> ChangeGroup(const RbacStep& step) {
    if (!has_groups) return Refuse("unknown call", ErrorKind::kUnsupported);
    if (step.kind == Kind::kCreateGroup) {
      has.groups.try_emplace(step.name);
      return std::nullopt;
    }
    if (!has.groups.contains(step.name)) return Refuse("no such group", ErrorKind::kNotFound);
    if (step.kind == Kind::kDropGroup) {
      const auto names = [&](const RbacGrant& grant) { return grant.privilege == step.name; };
      if (std::any_of(has.grants.begin(), has.grants.end(), names)) return Refuse("is granted");
      has.groups.erase(step.name);
      return std::nullopt;
    }
    std::set<std::string>& group = has.groups[step.name];
    for (const std::string& privilege : step.privileges) {
      if (step.kind == Kind::kAddToGroup) group.insert(privilege);
      if (step.kind == Kind::kRemoveFromGroup) group.erase(privilege);
    }
    return std::nullopt;
  }

  Executor* const executor_;
};

}  // namespace cdc
