#include "server/config_environment.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/format.h"
#include "server/nearest.h"

namespace cdc {
namespace {

constexpr const char* kPrefix = "MILVUS_CDC__";
constexpr const char* kFileEnding = "_file";
constexpr size_t kLongestValue = 64 * 1024;  // of a file; more is not meant to be a value

Result<std::string> ReadReference(const std::string& kind, const std::string& name,
                                  const Environment& environment) {
  if (kind == "file") return ReadValue(name);
  const auto it = environment.find(name);
  if (it == environment.end()) {
    return InvalidError(Format("the environment variable '{}' is not set", name));
  }
  return it->second;
}

std::string UpperCase(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

std::string Replace(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
  return text;
}

}  // namespace

Result<std::string> ReadValue(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::string text(kLongestValue + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad()) {
    const char* const why = errno != 0 ? std::strerror(errno) : "no such file";
    return InvalidError(Format("cannot read the file {}: {}", path, why));
  }
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kLongestValue) {
    return InvalidError(Format("the file {} is larger than 64 KiB", path));
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  if (!text.empty() && text.back() == '\r') text.pop_back();
  return text;
}

Environment ProcessEnvironment() {
  Environment all;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) all[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return all;
}

std::string VariableOf(const std::string& key) {
  return kPrefix + UpperCase(Replace(key, ".", "__"));
}

Result<std::string> ExpandReferences(const std::string& text, const Environment& environment,
                                     bool* expanded) {
  std::string out;
  size_t at = 0;
  while (true) {
    const size_t mark = text.find("${", at);
    if (mark == std::string::npos) break;
    const size_t colon = text.find(':', mark);
    const std::string kind =
        colon == std::string::npos ? "" : text.substr(mark + 2, colon - mark - 2);
    if (kind != "env" && kind != "file") {
      out.append(text, at, mark + 2 - at);
      at = mark + 2;
      continue;
    }
    out.append(text, at, mark - at);
    if (mark > at && text[mark - 1] == '$') {  // one of the two is left out
      at = mark + 1;
      continue;
    }
    const size_t end = text.find('}', colon);
    if (end == std::string::npos) {
      return InvalidError(Format("'${{}:' has no closing '}'", kind));
    }
    CDC_ASSIGN_OR_RETURN(const std::string value,
                         ReadReference(kind, text.substr(colon + 1, end - colon - 1), environment));
    out += value;
    *expanded = true;
    at = end + 1;
  }
  out.append(text, at);
  return out;
}

ConfigOverrides::ConfigOverrides(const Environment& environment) {
  const std::string prefix = LowerCase(kPrefix);
  const size_t ending = std::strlen(kFileEnding);
  for (const auto& [name, text] : environment) {
    std::string key = LowerCase(name);
    if (key.rfind(prefix, 0) != 0) continue;
    key.erase(0, prefix.size());
    Value value{name, text};
    if (key.size() > ending && key.compare(key.size() - ending, ending, kFileEnding) == 0) {
      key.resize(key.size() - ending);
      value.hidden = true;
      Result<std::string> read = ReadValue(text);
      if (!read.ok()) {
        errors_.push_back(Format("environment variable {}: {}", name, read.error().message));
      } else {
        value.text = *std::move(read);
      }
    }
    const auto [it, added] = values_.try_emplace(Replace(key, "__", "."), value);
    if (!added) {
      errors_.push_back(Format("the environment variables {} and {} set the same key: keep one",
                               it->second.variable, name));
    }
  }
}

const ConfigOverrides::Value* ConfigOverrides::Find(const std::string& key) const {
  const auto it = values_.find(LowerCase(key));
  return it == values_.end() ? nullptr : &it->second;
}

std::vector<std::string> ConfigOverrides::Unknown(const std::vector<std::string>& keys) const {
  std::vector<std::string> lines;
  for (const auto& [lower, value] : values_) {
    bool known = false, section = false;
    for (const std::string& key : keys) {
      const std::string other = LowerCase(key);
      known = known || other == lower;
      section = section || other.rfind(lower + ".", 0) == 0;
    }
    if (known) continue;
    std::string line = Format("environment variable {}: no such key", value.variable);
    const std::string nearest = NearestWord(lower, keys);
    if (section) {
      line = Format("environment variable {}: this is a section; set its keys one by one",
                    value.variable);
    } else if (!nearest.empty()) {
      line += "; did you mean " + VariableOf(nearest) + "?";
    } else {
      line += "; 'milvus-cdc config check --show' lists all keys";
    }
    lines.push_back(line);
  }
  return lines;
}

}  // namespace cdc
