#include "base/json_text.h"

#include <nlohmann/json.hpp>

namespace cdc {
namespace {

constexpr auto kReplace = nlohmann::json::error_handler_t::replace;

}  // namespace

std::string JsonLine(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, kReplace);
}

std::string JsonBlock(const nlohmann::json& value) {
  return value.dump(2, ' ', false, kReplace);
}

}  // namespace cdc
