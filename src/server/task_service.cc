#include "server/task_service.h"

#include <random>

namespace cdc {

std::string NewTaskId() {
  static const char kDigits[] = "0123456789abcdef";
  std::random_device random;
  std::string id;
  while (id.size() < 32) {
    const unsigned bits = random();
    for (int shift = 0; shift < 32; shift += 4) id += kDigits[(bits >> shift) & 15];
  }
  return id;
}

}  // namespace cdc
