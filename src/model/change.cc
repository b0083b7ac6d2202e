#include "model/change.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace cdc {

// common.MsgType: collections and aliases, partitions, indexes, flush, users and roles, databases.
bool IsKnownOperation(int32_t msg_type) {
  constexpr int32_t kKnown[] = {
      100,  101,  106,  107,  108,  109,  110,  111,  112,  115,  200,
      201,  205,  206,  300,  302,  304,  402,  1500, 1502, 1503, 1600,
      1601, 1602, 1606, 1610, 1611, 1613, 1614, 1801, 1802, 1804, kTimeTickMsgType};
  return std::find(std::begin(kKnown), std::end(kKnown), msg_type) != std::end(kKnown);
}

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
