// A secret that is planted where requests have theirs, so that it can be looked for afterwards.
#pragma once

#include <string>

namespace cdc::fuzz {

extern const std::string kPlanted;

// A body of POST /cdc, or the request_data of a create request alone, with every token and password
// that is given replaced by kPlanted. Empty: it has none, is no JSON, or holds kPlanted already.
std::string PlantInRequest(const std::string& body);
std::string PlantInTask(const std::string& body);

}  // namespace cdc::fuzz
