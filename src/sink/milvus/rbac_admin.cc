#include "sink/milvus/rbac_admin.h"

#include <algorithm>
#include <utility>

namespace cdc {
namespace {

using Op = MilvusClient::Op;

}  // namespace

MilvusRbacAdmin::MilvusRbacAdmin(std::shared_ptr<MilvusClient> client, Executor* executor)
    : Answering(executor), client_(std::move(client)) {}

// ---- listing: users, roles, groups, then the grants of one role after the other ----------------

void MilvusRbacAdmin::List(RbacScope scope, Callback<Result<TargetRbac>> done) {
  auto listing = std::make_shared<Listing>();
  listing->done = std::move(done);
  using Users = Result<std::map<std::string, std::set<std::string>>>;
  client_->ListUsers(Here<Users>([this, scope = std::move(scope), listing](Users users) {
    if (!users) return listing->done(users.error());
    RbacCatalog& found = listing->found.catalog;
    for (const auto& [user, roles] : *users) {
      found.users.try_emplace(user);
      for (const std::string& role : roles) found.bindings.emplace(user, role);
    }
    ListRoles(scope, listing);
  }));
}

void MilvusRbacAdmin::ListRoles(RbacScope scope, ListingPtr listing) {
  using Roles = Result<std::set<std::string>>;
  client_->ListRoles(Here<Roles>([this, scope = std::move(scope), listing](Roles roles) {
    if (!roles) return listing->done(roles.error());
    for (const auto& [role, databases] : scope) {
      if (!roles->contains(role)) continue;
      for (const std::string& database : databases) listing->asked.emplace_back(role, database);
      listing->asked.emplace_back(role, kAnyName);
    }
    listing->found.catalog.roles = *std::move(roles);
    ListGroups(listing);
  }));
}

void MilvusRbacAdmin::ListGroups(ListingPtr listing) {
  using Groups = Result<std::map<std::string, std::set<std::string>>>;
  client_->ListPrivilegeGroups(Here<Groups>([this, listing](Groups groups) {
    if (!groups && groups.error().kind != ErrorKind::kUnsupported) {
      return listing->done(groups.error());
    }
    listing->found.has_groups = groups.ok();
    if (groups) listing->found.catalog.groups = *std::move(groups);
    ListGrants(listing);
  }));
}

void MilvusRbacAdmin::ListGrants(ListingPtr listing) {
  while (lists_every_database_ && !listing->asked.empty() &&
         listing->asked.back().second != kAnyName) {
    listing->asked.pop_back();
  }
  if (listing->asked.empty()) return listing->done(std::move(listing->found));
  const auto [role, database] = std::move(listing->asked.back());
  listing->asked.pop_back();
  using Grants = Result<std::set<RbacGrant>>;
  client_->ListGrants(
      role, database, Here<Grants>([this, listing, database = database](Grants grants) {
        if (!grants) return listing->done(grants.error());
        const bool others = std::any_of(grants->begin(), grants->end(), [](const RbacGrant& grant) {
          return grant.database != kAnyName;
        });
        if (database == kAnyName && others) lists_every_database_ = true;
        listing->found.catalog.grants.merge(*grants);
        ListGrants(listing);
      }));
}

// ---- applying ---------------------------------------------------------------------------------

void MilvusRbacAdmin::Apply(RbacStep step, Callback<Status> done) {
  using Kind = RbacStep::Kind;
  MilvusClient& client = *client_;
  switch (step.kind) {
    case Kind::kCreateGroup:
      return client.CreatePrivilegeGroup(step.name, Forgive(ErrorKind::kAlreadyExists, done));
    case Kind::kAddToGroup:
      return client.ChangePrivilegeGroup(Op::kAdd, step.name, step.privileges, Here<Status>(done));
    case Kind::kCreateRole:
      return client.CreateRole(step.name, Forgive(ErrorKind::kAlreadyExists, done));
    case Kind::kCreateUser:
      return CreateUser(step, std::move(done));
    case Kind::kSetPassword:
      return SetPassword(std::move(step), std::move(done));
    case Kind::kGrant:
      return client.ChangeGrant(Op::kAdd, step.grant, Here<Status>(done));
    case Kind::kBind:
      return client.ChangeBinding(Op::kAdd, step.name, step.role, Here<Status>(done));
    case Kind::kUnbind:
      return client.ChangeBinding(Op::kRemove, step.name, step.role,
                                  Forgive(ErrorKind::kNotFound, done));
    case Kind::kRevoke:
      return client.ChangeGrant(Op::kRemove, step.grant, Forgive(ErrorKind::kNotFound, done));
    case Kind::kDropUser:
      return client.DropUser(step.name, Forgive(ErrorKind::kNotFound, done));
    case Kind::kDropRole:
      return client.DropRole(step.name, Forgive(ErrorKind::kNotFound, done));
    case Kind::kRemoveFromGroup:
      return client.ChangePrivilegeGroup(Op::kRemove, step.name, step.privileges,
                                         Here<Status>(done));
    case Kind::kDropGroup:
      return client.DropPrivilegeGroup(step.name, Forgive(ErrorKind::kNotFound, done));
  }
}

void MilvusRbacAdmin::CreateUser(const RbacStep& step, Done done) {
  if (!step.password.empty()) {
    return client_->CreateUser(step.name, step.password, Here<Status>(std::move(done)));
  }
  client_->RestoreUser(step.name, step.password_hash, Here<Status>(std::move(done)));
}

void MilvusRbacAdmin::SetPassword(RbacStep step, Done done) {
  // Last of all the new one itself: where it is in place already, a restart repeats the change.
  const bool last = step.old_passwords.empty();
  const std::string old_password = last ? step.password : step.old_passwords.back();
  const std::string user = step.name, password = step.password;
  if (!last) step.old_passwords.pop_back();
  auto changed = [this, step = std::move(step), last, done = std::move(done)](Status status) {
    const bool other = !status && status.error().kind == ErrorKind::kConflict;
    if (!other || last) return done(status);
    SetPassword(step, done);
  };
  client_->ChangePassword(user, old_password, password, Here<Status>(std::move(changed)));
}

}  // namespace cdc
