// The description of /api/v1: OpenAPI 3.1 as JSON text, the file openapi.json of this folder. Lives
// as long as the process; any thread.
#pragma once

#include <string_view>

namespace cdc {

std::string_view OpenapiJson();

}  // namespace cdc
