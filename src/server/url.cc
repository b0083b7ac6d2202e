#include "server/url.h"

#include <algorithm>
#include <cctype>

#include "base/format.h"

namespace cdc {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string PercentDecode(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(text[i + 2]) : -1;
    if (low < 0) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string PercentEncode(const std::string& text) {
  static const char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~')) {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

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
