// The difference between the users and roles that a target shall have and those that it has.
//
// Pure functions and plain values; any thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "model/rbac.h"
#include "model/task.h"
#include "pipeline/rbac_ports.h"

namespace cdc {

// What the target shall have for all that the source has: databases and collections in grants go by
// the names that they have on the target. `untouched` users and their roles are left out.
RbacCatalog WantedRbac(const RbacCatalog& source, const Selection& selection,
                       const std::set<std::string>& untouched);

// The steps that lead from `has` to `wanted`, in an order that a target accepts: groups and roles
// before what names them, and what names them away before they are dropped.
//
// Only what is in `known` is taken away: what this task made or saw at the source. Built-in roles
// are neither created nor dropped. Grants of privilege groups, and the groups, are left out for a
// target without any. Users come with the hash of their password; passwords are the caller's.
std::vector<RbacStep> PlanRbac(const RbacCatalog& wanted, const TargetRbac& has,
                               const RbacCatalog& known);

// Adds all of `seen` to `known`, without hashes.
void RememberRbac(const RbacCatalog& seen, RbacCatalog* known);
// Takes out of `known` what is neither wanted nor there: its end is done.
void ForgetRbac(const RbacCatalog& wanted, const RbacCatalog& has, RbacCatalog* known);

// Whose grants decide: the roles of both, with the databases that their grants name.
RbacScope ScopeOf(const RbacCatalog& wanted, const RbacCatalog& known);

}  // namespace cdc
