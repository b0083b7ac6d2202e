// Names in a message: the first ten, and how many there are besides. A pure function.
#pragma once

#include <string>
#include <vector>

namespace cdc {

inline std::string NameList(const std::vector<std::string>& names) {
  constexpr size_t kShown = 10;
  std::string text;
  for (size_t i = 0; i < names.size() && i < kShown; ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kShown) text += " and " + std::to_string(names.size() - kShown) + " more";
  return text;
}

}  // namespace cdc
