// The parts of a request's address. Pure functions.
#pragma once

#include <map>
#include <string>

#include "base/result.h"

namespace cdc {

// %41 becomes A; what is no such code stays as it is.
std::string PercentDecode(const std::string& text);
// The opposite, for one segment of a path.
std::string PercentEncode(const std::string& text);

// "a=1&b=x%20y". kInvalid: a name comes twice.
Result<std::map<std::string, std::string>> ParseQuery(const std::string& query);

}  // namespace cdc
