// JSON as text that any reader takes: bytes that are no UTF-8 (what a peer answers may hold some)
// become U+FFFD. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace cdc {

std::string JsonLine(const nlohmann::json& value);   // without blanks
std::string JsonBlock(const nlohmann::json& value);  // two blanks a level, for people

}  // namespace cdc
