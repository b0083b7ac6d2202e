// Base64 (RFC 4648, with padding). A pure function; any thread.
#pragma once

#include <string>
#include <string_view>

namespace cdc {

std::string Base64(std::string_view bytes);

}  // namespace cdc
