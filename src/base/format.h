// Format("a {} b {}", x, y): text with {} placeholders, for log lines and error messages.
// Arguments must be streamable. Pure function, any thread.
#pragma once

#include <sstream>
#include <string>
#include <string_view>

namespace cdc {

namespace format_detail {
inline void Append(std::ostringstream& out, std::string_view rest) {
  out << rest;
}
template <typename First, typename... Rest>
void Append(std::ostringstream& out, std::string_view format, const First& first,
            const Rest&... rest) {
  const size_t at = format.find("{}");
  if (at == std::string_view::npos) {
    out << format;
    return;
  }
  out << format.substr(0, at) << first;
  Append(out, format.substr(at + 2), rest...);
}
}  // namespace format_detail

template <typename... Args>
std::string Format(std::string_view format, const Args&... args) {
  std::ostringstream out;
  format_detail::Append(out, format, args...);
  return out.str();
}

}  // namespace cdc
