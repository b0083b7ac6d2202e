#include <algorithm>
#include <charconv>

#include "base/format.h"
#include "server/nearest.h"
#include "server/yaml_section_impl.h"

namespace cdc {
namespace {

constexpr const char* kHidden = "\"***\"";

std::string YamlList(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ", ") + YamlText(text);
  return "[" + list + "]";
}

// Properties of a client library, some of which are secrets.
std::string YamlMap(const std::map<std::string, std::string>& texts) {
  std::string map;
  for (const auto& [name, text] : texts) {
    const std::string lower = LowerCase(name);
    bool secret = false;
    for (const char* word : {"password", "secret", "token", "pem", "jaas", "oauth", "credential"}) {
      secret = secret || lower.find(word) != std::string::npos;
    }
    map += (map.empty() ? "" : ", ") + YamlText(name) + ": " + (secret ? kHidden : YamlText(text));
  }
  return "{" + map + "}";
}

// "a, b" as a list, as a variable of the environment has it.
YAML::Node SplitList(const std::string& text) {
  YAML::Node list(YAML::NodeType::Sequence);
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const size_t first = text.find_first_not_of(" \t", begin);
    const size_t last = end == 0 ? std::string::npos : text.find_last_not_of(" \t", end - 1);
    if (first < end && last != std::string::npos) {
      list.push_back(text.substr(first, last + 1 - first));
    }
    begin = end + 1;
  }
  return list;
}

}  // namespace

YamlSection::YamlSection(const YAML::Node& node, std::string path, YamlContext* context)
    : path_(std::move(path)), context_(context) {
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
  context_->mistakes.push_back({mark.line + 1, Format("{}:{}:{}: {}", context_->file, mark.line + 1,
                                                      mark.column + 1, what)});
}

void YamlSection::Fail(const char* key, const std::string& what) {
  const std::string told = Format("'{}' {}", FullName(key), what);
  if (const auto* value = context_->overrides.Find(FullName(key))) {
    context_->mistakes.push_back({0, Format("environment variable {}: {}", value->variable, told)});
    return;
  }
  const auto it = entries_.find(LowerCase(key));
  if (it != entries_.end()) return FailAt(it->second.value.Mark(), told);
  context_->mistakes.push_back({0, Format("{}: {}", context_->file, told)});
}

std::string YamlSection::Shown(const char* key, const std::string& value) const {
  const auto it = hidden_.find(LowerCase(key));
  return it != hidden_.end() && it->second ? "***" : value;
}

std::optional<YAML::Node> YamlSection::Find(const char* key, Shape shape) {
  known_.push_back(key);
  if (const auto* value = context_->overrides.Find(FullName(key))) {
    hidden_[LowerCase(key)] = value->hidden;
    return FromVariable(key, shape, *value);
  }
  const auto it = entries_.find(LowerCase(key));
  if (it == entries_.end() || it->second.value.IsNull()) return std::nullopt;
  return it->second.value;
}

std::optional<YAML::Node> YamlSection::FromVariable(const char* key, Shape shape,
                                                    const ConfigOverrides::Value& value) {
  const size_t first = value.text.find_first_not_of(" \t\n");
  const char begin = first == std::string::npos ? ' ' : value.text[first];
  if (shape == Shape::kScalar) return YAML::Node(value.text);
  if (shape == Shape::kList && begin != '[') return SplitList(value.text);
  try {
    return YAML::Load(value.text);
  } catch (const YAML::Exception&) {
    Fail(key,
         shape == Shape::kList ? "must be a list as a,b or [a, b]" : "must be as {a: b, c: d}");
    return std::nullopt;
  }
}

bool YamlSection::Scalar(const char* key, const YAML::Node& node, std::string* out) {
  // A variable is taken as it is.
  if (context_->overrides.Find(FullName(key)) != nullptr) {
    *out = node.Scalar();
    return true;
  }
  bool expanded = false;
  Result<std::string> text = ExpandReferences(node.Scalar(), context_->environment, &expanded);
  if (!text.ok()) {
    FailAt(node.Mark(), Format("'{}': {}", FullName(key), text.error().message));
    return false;
  }
  if (expanded) hidden_[LowerCase(key)] = true;
  *out = *std::move(text);
  return true;
}

void YamlSection::Record(const char* key, const std::string& value) {
  ConfigEntry entry{FullName(key), value, "default", no_effect_};
  const auto it = entries_.find(LowerCase(key));
  if (const auto* from = context_->overrides.Find(entry.key)) {
    entry.origin = "environment " + from->variable;
  } else if (it != entries_.end() && !it->second.value.IsNull()) {
    entry.origin = Format("{}:{}", context_->file, it->second.mark.line + 1);
  }
  const auto hidden = hidden_.find(LowerCase(key));
  if (hidden != hidden_.end() && hidden->second) entry.value = kHidden;
  context_->entries.push_back(std::move(entry));
}

ConfigEntry* YamlSection::Recorded(const char* key) {
  const std::string name = FullName(key);
  for (ConfigEntry& entry : context_->entries) {
    if (entry.key == name) return &entry;
  }
  return nullptr;
}

void YamlSection::NoEffect(const char* key, const std::string& why) {
  if (ConfigEntry* entry = Recorded(key)) entry->note = why;
}

void YamlSection::Correct(const char* key, const std::string& value) {
  if (ConfigEntry* entry = Recorded(key)) entry->value = value;
}

bool YamlSection::Has(const char* key) const {
  if (context_->overrides.Find(FullName(key)) != nullptr) return true;
  const auto it = entries_.find(LowerCase(key));
  return it != entries_.end() && !it->second.value.IsNull();
}

bool YamlSection::Names(const char* key) const {
  return context_->overrides.Find(FullName(key)) != nullptr || entries_.count(LowerCase(key)) != 0;
}

bool YamlSection::Text(const char* key, std::string* out) {
  const std::optional<YAML::Node> node = Find(key, Shape::kScalar);
  bool read = false;
  if (node && !node->IsScalar()) {
    Fail(key, "must be a text");
  } else if (node) {
    read = Scalar(key, *node, out);
  }
  Record(key, YamlText(*out));
  return read;
}

bool YamlSection::Secret(const char* key, std::string* out) {
  const bool read = Text(key, out);
  if (read && !out->empty()) Correct(key, kHidden);
  return read;
}

bool YamlSection::FilledText(const char* key, std::string* out) {
  const std::string before = *out;
  const bool read = Text(key, out);
  if (!out->empty()) return read;
  *out = before;
  Correct(key, YamlText(before));
  return false;
}

bool YamlSection::Number(const char* key, int* out, int min, int max) {
  const std::optional<YAML::Node> node = Find(key, Shape::kScalar);
  std::string text;
  int value = 0;
  bool read = false;
  if (node && (!node->IsScalar() || Scalar(key, *node, &text))) {
    const char* const last = text.data() + text.size();
    const auto [end, failed] = std::from_chars(text.data(), last, value);
    if (text.empty() || failed != std::errc() || end != last) {
      Fail(key, "must be a whole number");
    } else if (value < min || value > max) {
      Fail(key, Format("must be between {} and {}", min, max));
    } else {
      *out = value;
      read = true;
    }
  }
  Record(key, std::to_string(*out));
  return read;
}

bool YamlSection::NumberOrDefault(const char* key, int* out, int max) {
  const int before = *out;
  const bool read = Number(key, out, 0, max);
  if (*out != 0) return read;
  *out = before;
  Correct(key, std::to_string(before));
  return false;
}

bool YamlSection::Flag(const char* key, bool* out) {
  const std::optional<YAML::Node> node = Find(key, Shape::kScalar);
  std::string text;
  bool value = false, read = false;
  if (node && (!node->IsScalar() || Scalar(key, *node, &text))) {
    read = node->IsScalar() && YAML::convert<bool>::decode(YAML::Node(text), value);
    if (read) {
      *out = value;
    } else {
      Fail(key, "must be true or false");
    }
  }
  Record(key, *out ? "true" : "false");
  return read;
}

bool YamlSection::TextList(const char* key, std::vector<std::string>* out) {
  const std::optional<YAML::Node> node = Find(key, Shape::kList);
  std::vector<std::string> list;
  bool good = node.has_value();
  if (node && node->IsScalar()) {
    good = Scalar(key, *node, &list.emplace_back());
  } else if (node) {
    for (const auto& item : *node) {
      if (!node->IsSequence() || !item.IsScalar()) {
        Fail(key, "must be a list of texts");
        good = false;
        break;
      }
      good = Scalar(key, item, &list.emplace_back()) && good;
    }
  }
  if (good) *out = std::move(list);
  Record(key, YamlList(*out));
  return good;
}

bool YamlSection::TextMap(const char* key, std::map<std::string, std::string>* out) {
  const std::optional<YAML::Node> node = Find(key, Shape::kMap);
  std::map<std::string, std::string> map;
  bool texts = !node || node->IsMap(), expanded = true;
  if (node && texts) {
    for (const auto& pair : *node) {
      texts = texts && pair.first.IsScalar() && pair.second.IsScalar();
      if (!texts) break;
      expanded = Scalar(key, pair.second, &map[pair.first.Scalar()]) && expanded;
    }
  }
  if (!texts) Fail(key, "must hold keys and texts");
  const bool read = node && texts && expanded;
  if (read) *out = std::move(map);
  Record(key, YamlMap(*out));
  return read;
}

void YamlSection::Ignore(const char* key) {
  (void)Find(key, Shape::kScalar);
  Record(key, "...");
  NoEffect(key, "no effect");
}

YamlSection YamlSection::Section(const char* key) {
  known_.push_back(key);
  const auto it = entries_.find(LowerCase(key));
  YamlSection section(it == entries_.end() ? YAML::Node() : it->second.value, FullName(key),
                      context_);
  section.no_effect_ = no_effect_;
  return section;
}

void YamlSection::Finish() {
  for (const auto& [lower, entry] : entries_) {
    const bool known =
        std::any_of(known_.begin(), known_.end(),
                    [&lower = lower](const std::string& k) { return LowerCase(k) == lower; });
    if (known) continue;
    FailAt(entry.mark,
           Format("unknown key '{}'{}", FullName(entry.name), DidYouMean(entry.name, known_)));
  }
}

}  // namespace cdc
