// Percent-encoding, as in addresses. Pure functions, for text of any bytes.
#pragma once

#include <string>
#include <string_view>

namespace cdc {

// Letters, digits and the signs of `plain` stay as they are; every other byte becomes %41, with
// capital digits. The default signs are those that stand for themselves anywhere in an address.
std::string PercentEncode(std::string_view text, std::string_view plain = "-._~");
// The opposite: %41 becomes A; what is no such code stays as it is.
std::string PercentDecode(std::string_view text);

}  // namespace cdc
