// Names that nobody else gives: 128 random bits as 32 hexadecimal digits in small letters. Any
// thread; may block on the system's source of randomness.
#pragma once

#include <string>

namespace cdc {

std::string RandomName();

}  // namespace cdc
