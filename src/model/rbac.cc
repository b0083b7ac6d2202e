#include "model/rbac.h"

#include "base/format.h"

namespace cdc {
namespace {

std::string Listed(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::string ToString(const RbacGrant& grant) {
  return Format("{} on {} {}.{}", grant.privilege, grant.object, grant.database, grant.object_name);
}

std::string ToString(const RbacStep& step) {
  using Kind = RbacStep::Kind;
  const std::string& name = step.name;
  switch (step.kind) {
    case Kind::kCreateGroup:
      return Format("create privilege group '{}'", name);
    case Kind::kAddToGroup:
      return Format("add {} to privilege group '{}'", Listed(step.privileges), name);
    case Kind::kCreateRole:
      return Format("create role '{}'", name);
    case Kind::kCreateUser:
      return Format("create user '{}'", name);
    case Kind::kSetPassword:
      return Format("change the password of user '{}'", name);
    case Kind::kGrant:
      return Format("grant {} to role '{}'", ToString(step.grant), step.grant.role);
    case Kind::kBind:
      return Format("give role '{}' to user '{}'", step.role, name);
    case Kind::kUnbind:
      return Format("take role '{}' from user '{}'", step.role, name);
    case Kind::kRevoke:
      return Format("revoke {} from role '{}'", ToString(step.grant), step.grant.role);
    case Kind::kDropUser:
      return Format("drop user '{}'", name);
    case Kind::kDropRole:
      return Format("drop role '{}'", name);
    case Kind::kRemoveFromGroup:
      return Format("remove {} from privilege group '{}'", Listed(step.privileges), name);
    case Kind::kDropGroup:
      return Format("drop privilege group '{}'", name);
  }
  return "?";
}

}  // namespace cdc
