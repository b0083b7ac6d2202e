// TaskSpec as JSON text, the form in which stores keep it. The token is left out: it is a secret
// and has a place of its own. Pure functions, any thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/task.h"

namespace cdc {

std::string TaskSpecToJson(const TaskSpec& spec);
// Members that are missing keep their defaults, unknown ones are ignored. Errors: corrupt.
Result<TaskSpec> TaskSpecFromJson(const std::string& text);

std::string StringListToJson(const std::vector<std::string>& list);
Result<std::vector<std::string>> StringListFromJson(const std::string& text);

}  // namespace cdc
