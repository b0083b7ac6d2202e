// Names of users, roles, grants and groups as JSON text, the form in which stores keep what a task
// has seen of them. Without hashes: those are secrets. Pure functions, any thread.
#pragma once

#include <string>

#include "base/result.h"
#include "model/rbac.h"

namespace cdc {

std::string RbacToJson(const RbacCatalog& catalog);
// Members that are missing are empty, unknown ones are ignored. Errors: corrupt.
Result<RbacCatalog> RbacFromJson(const std::string& text);

}  // namespace cdc
