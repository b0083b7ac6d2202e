// Which target a task writes to: by where it is, not by how its address is spelled. Blocks while a
// name is resolved.
#pragma once

#include <string>

#include "model/task.h"

namespace cdc {

// The host's first address and the port; a name that nobody knows stands for itself.
std::string TargetIdentity(const TargetAddress& address);
// Of the task's target; each kBlackhole task has its own.
std::string IdentityOf(const TaskSpec& spec);

}  // namespace cdc
