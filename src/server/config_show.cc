#include <algorithm>
#include <cstdio>

#include "base/format.h"
#include "server/config_reading.h"

namespace cdc {
namespace {

constexpr size_t kOriginColumn = 48;

// The sections of a key: "a.b.c" is in a and b.
std::vector<std::string> SectionsOf(const std::string& key) {
  std::vector<std::string> sections;
  size_t begin = 0;
  for (size_t dot = 0; (dot = key.find('.', begin)) != std::string::npos; begin = dot + 1) {
    sections.push_back(key.substr(begin, dot - begin));
  }
  return sections;
}

std::string Indent(size_t depth) {
  return std::string(2 * depth, ' ');
}

}  // namespace

std::string YamlText(const std::string& text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '/' || c == ':' || c == '+' || c == '@';
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain) && text.front() != '-' &&
      text.front() != ':' && text.front() != '@' && text.back() != ':') {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    char escape[8];
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::snprintf(escape, sizeof(escape), "\\x%02x", static_cast<unsigned>(c));
      quoted += escape;
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string ShowConfig(const std::vector<ConfigEntry>& entries) {
  std::string text;
  std::vector<std::string> open;  // the sections that stand above
  for (const ConfigEntry& entry : entries) {
    // What has no effect is worth a line only where somebody wrote it.
    if (!entry.note.empty() && entry.origin == "default") continue;
    const std::vector<std::string> sections = SectionsOf(entry.key);
    size_t same = 0;
    while (same < std::min(open.size(), sections.size()) && open[same] == sections[same]) ++same;
    open = sections;
    for (; same < sections.size(); ++same) text += Indent(same) + sections[same] + ":\n";
    std::string line = Indent(sections.size()) + (entry.note.empty() ? "" : "# ") +
                       entry.key.substr(entry.key.rfind('.') + 1) + ": " + entry.value;
    if (line.size() < kOriginColumn) line.resize(kOriginColumn, ' ');
    text += line + "  # " + entry.origin + (entry.note.empty() ? "" : "; " + entry.note) + "\n";
  }
  return text;
}

}  // namespace cdc
