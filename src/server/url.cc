#include "server/url.h"

#include <algorithm>

#include "base/format.h"
#include "base/percent.h"

namespace cdc {
Result<std::map<std::string, std::string>> ParseQuery(const std::string& query) {
  std::map<std::string, std::string> out;
  for (size_t begin = 0; begin < query.size();) {
    const size_t end = std::min(query.find('&', begin), query.size());
    std::string part = query.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty()) continue;
    for (char& c : part) {
      if (c == '+') c = ' ';
    }
    const size_t equals = std::min(part.find('='), part.size());
    const std::string name = PercentDecode(part.substr(0, equals));
    const std::string value =
        equals < part.size() ? PercentDecode(part.substr(equals + 1)) : std::string();
    if (!out.emplace(name, value).second) {
      return InvalidError(Format("the query parameter '{}' is given twice", name.substr(0, 100)));
    }
  }
  return out;
}

}  // namespace cdc
