// The parts of a request's address. Pure functions.
#pragma once

#include <map>
#include <string>

#include "base/result.h"

namespace cdc {

// "a=1&b=x%20y". kInvalid: a name comes twice.
Result<std::map<std::string, std::string>> ParseQuery(const std::string& query);

}  // namespace cdc
