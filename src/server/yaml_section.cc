#include <algorithm>
#include <charconv>

#include "base/format.h"
#include "server/nearest.h"
#include "server/yaml_section_impl.h"

namespace cdc {

YamlSection::YamlSection(const YAML::Node& node, std::string path, std::string file, Status* error)
    : path_(std::move(path)), file_(std::move(file)), error_(error) {
  if (!node.IsDefined() || node.IsNull()) return;
  if (!node.IsMap()) {
    FailAt(node.Mark(),
           Format("{} must hold keys and values", path_.empty() ? "the file" : "'" + path_ + "'"));
    return;
  }
  for (const auto& pair : node) {
    if (!pair.first.IsScalar()) {
      FailAt(pair.first.Mark(), "a key must be a word");
      continue;
    }
    const std::string name = pair.first.Scalar();
    const bool added =
        entries_.try_emplace(LowerCase(name), Entry{name, pair.first.Mark(), pair.second}).second;
    if (!added) FailAt(pair.first.Mark(), Format("key '{}' is given twice", FullName(name)));
  }
}

std::string YamlSection::FullName(const std::string& key) const {
  return path_.empty() ? key : path_ + "." + key;
}

void YamlSection::FailAt(const YAML::Mark& mark, const std::string& what) {
  if (!error_->ok()) return;
  *error_ = InvalidError(Format("{}:{}:{}: {}", file_, mark.line + 1, mark.column + 1, what));
}

void YamlSection::Fail(const char* key, const std::string& what) {
  const auto it = entries_.find(LowerCase(key));
  FailAt(it == entries_.end() ? YAML::Mark::null_mark() : it->second.value.Mark(),
         Format("'{}' {}", FullName(key), what));
}

const YAML::Node* YamlSection::Find(const char* key) {
  known_.push_back(key);
  const auto it = entries_.find(LowerCase(key));
  if (it == entries_.end() || it->second.value.IsNull()) return nullptr;
  return &it->second.value;
}

bool YamlSection::Has(const char* key) const {
  const auto it = entries_.find(LowerCase(key));
  return it != entries_.end() && !it->second.value.IsNull();
}

bool YamlSection::Text(const char* key, std::string* out) {
  const YAML::Node* node = Find(key);
  if (node == nullptr) return false;
  if (!node->IsScalar()) {
    Fail(key, "must be a text");
    return false;
  }
  *out = node->Scalar();
  return true;
}

bool YamlSection::Number(const char* key, int* out, int min, int max) {
  const YAML::Node* node = Find(key);
  if (node == nullptr) return false;
  const std::string text = node->IsScalar() ? node->Scalar() : "";
  int value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failed != std::errc() || end != text.data() + text.size()) {
    Fail(key, "must be a whole number");
    return false;
  }
  if (value < min || value > max) {
    Fail(key, Format("must be between {} and {}, it is {}", min, max, value));
    return false;
  }
  *out = value;
  return true;
}

bool YamlSection::Flag(const char* key, bool* out) {
  const YAML::Node* node = Find(key);
  if (node == nullptr) return false;
  bool value = false;
  if (!node->IsScalar() || !YAML::convert<bool>::decode(*node, value)) {
    Fail(key, "must be true or false");
    return false;
  }
  *out = value;
  return true;
}

bool YamlSection::TextList(const char* key, std::vector<std::string>* out) {
  const YAML::Node* node = Find(key);
  if (node == nullptr) return false;
  if (node->IsScalar()) {
    *out = {node->Scalar()};
    return true;
  }
  std::vector<std::string> list;
  for (const auto& item : *node) {
    if (!node->IsSequence() || !item.IsScalar()) {
      Fail(key, "must be a list of texts");
      return false;
    }
    list.push_back(item.Scalar());
  }
  *out = std::move(list);
  return true;
}

bool YamlSection::TextMap(const char* key, std::map<std::string, std::string>* out) {
  const YAML::Node* node = Find(key);
  if (node == nullptr) return false;
  std::map<std::string, std::string> map;
  bool good = node->IsMap();
  if (good) {
    for (const auto& pair : *node) {
      good = good && pair.first.IsScalar() && pair.second.IsScalar();
      if (good) map[pair.first.Scalar()] = pair.second.Scalar();
    }
  }
  if (!good) {
    Fail(key, "must hold keys and texts");
    return false;
  }
  *out = std::move(map);
  return true;
}

void YamlSection::Ignore(const char* key) {
  (void)Find(key);
}

YamlSection YamlSection::Section(const char* key) {
  const YAML::Node* node = Find(key);
  return YamlSection(node == nullptr ? YAML::Node() : *node, FullName(key), file_, error_);
}

void YamlSection::Finish() {
  // The unknown key that stands first in the file.
  const Entry* first = nullptr;
  for (const auto& [lower, entry] : entries_) {
    const bool known = std::any_of(known_.begin(), known_.end(),
                                   [&](const std::string& k) { return LowerCase(k) == lower; });
    if (!known && (first == nullptr || entry.mark.pos < first->mark.pos)) first = &entry;
  }
  if (first == nullptr) return;
  FailAt(first->mark,
         Format("unknown key '{}'{}", FullName(first->name), DidYouMean(first->name, known_)));
}

}  // namespace cdc
