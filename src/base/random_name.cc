#include "base/random_name.h"

#include <random>

namespace cdc {

std::string RandomName() {
  static const char kDigits[] = "0123456789abcdef";
  std::random_device random;
  std::string name;
  while (name.size() < 32) {
    const unsigned bits = random();
    for (int shift = 0; shift < 32; shift += 4) name += kDigits[(bits >> shift) & 15];
  }
  return name;
}

}  // namespace cdc
