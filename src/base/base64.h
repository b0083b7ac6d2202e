// Base64 (RFC 4648, with padding). Pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cdc {

std::string Base64(std::string_view bytes);
// Nothing for a text that is not exactly what Base64() makes of some bytes.
std::optional<std::string> FromBase64(std::string_view text);

}  // namespace cdc
