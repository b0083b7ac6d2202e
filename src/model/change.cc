#include "model/change.h"

#include <charconv>

namespace cdc {

int ShardIndex(std::string_view vchannel) {
  const size_t v = vchannel.rfind('v');
  if (v == std::string::npos) return -1;
  int index = -1;
  const char* begin = vchannel.data() + v + 1;
  const char* end = vchannel.data() + vchannel.size();
  const auto [stop, error] = std::from_chars(begin, end, index);
  return error == std::errc() && stop == end ? index : -1;
}

}  // namespace cdc
