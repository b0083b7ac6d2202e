#include "base/base64.h"

#include <algorithm>
#include <cstdint>

namespace cdc {

std::string Base64(std::string_view in) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < in.size(); i += 3) {
    const size_t n = std::min<size_t>(3, in.size() - i);
    uint32_t block = 0;
    for (size_t k = 0; k < 3; ++k) {
      block = block << 8 | (k < n ? static_cast<unsigned char>(in[i + k]) : 0u);
    }
    for (size_t k = 0; k < 4; ++k) {
      out += k <= n ? kAlphabet[block >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

std::optional<std::string> FromBase64(std::string_view in) {
  const auto value = [](char c) -> int {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
  };
  std::string out;
  uint32_t block = 0;
  size_t signs = 0;
  for (; signs < in.size() && value(in[signs]) >= 0; ++signs) {
    block = block << 6 | static_cast<uint32_t>(value(in[signs]));
    if (signs % 4 != 0) out += static_cast<char>(block >> (6 - 2 * (signs % 4)) & 0xff);
  }
  // Also refuses padding that is missing, and bits that no byte uses.
  if (Base64(out) != in) return {};
  return out;
}

}  // namespace cdc
