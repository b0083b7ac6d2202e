#include "server/json_fields.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "base/format.h"
#include "server/nearest.h"

namespace cdc {

using nlohmann::json;

Result<json> ParseJsonObject(const std::string& body) {
  constexpr int kMaxDepth = 32;  // more has no request: the rest would cost time and memory
  json root;
  try {
    root = json::parse(body, [](int depth, json::parse_event_t, json&) {
      if (depth > kMaxDepth) throw std::length_error("nested too deeply");
      return true;
    });
  } catch (const json::parse_error& e) {
    // Its text repeats the input around the mistake, which may be a password: only the place.
    return InvalidError(Format("the body is not valid JSON at byte {}", e.byte));
  } catch (const std::exception&) {
    return InvalidError("the body holds a number that is too large, or is nested too deeply");
  }
  if (!root.is_object()) return InvalidError("the body must be a JSON object");
  return root;
}

JsonFields::JsonFields(const json& value, std::string path, FieldErrors* errors)
    : path_(std::move(path)), errors_(errors) {
  if (value.is_null()) return;
  if (!value.is_object()) {
    WrongType(path_.empty() ? "request_data" : path_, "an object");
    return;
  }
  for (const auto& [key, member] : value.items()) {
    if (!entries_.try_emplace(LowerCase(key), key, &member).second) {
      WrongType(FullName(key), "given once (letters' case does not matter)");
    }
  }
}

std::string JsonFields::FullName(const std::string& key) const {
  return path_.empty() ? key : path_ + "." + key;
}

void JsonFields::WrongType(const std::string& name, const char* expected) {
  if (errors_->wrong_type.empty()) errors_->wrong_type = "'" + name + "' must be " + expected;
}

const json* JsonFields::Find(const char* key) {
  known_.push_back(key);
  const auto it = entries_.find(LowerCase(key));
  if (it == entries_.end() || it->second.second->is_null()) return nullptr;
  return it->second.second;
}

bool JsonFields::Has(const char* key) const {
  const auto it = entries_.find(LowerCase(key));
  return it != entries_.end() && !it->second.second->is_null();
}

void JsonFields::Text(const char* key, std::string* out) {
  const json* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_string()) return WrongType(FullName(key), "a text");
  *out = value->get<std::string>();
}

void JsonFields::Flag(const char* key, bool* out) {
  const json* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_boolean()) return WrongType(FullName(key), "true or false");
  *out = value->get<bool>();
}

void JsonFields::Number(const char* key, int* out) {
  int64_t number = *out;
  Number(key, &number);
  if (number < std::numeric_limits<int>::min() || number > std::numeric_limits<int>::max()) {
    return WrongType(FullName(key), "a whole number");
  }
  *out = static_cast<int>(number);
}

void JsonFields::Number(const char* key, int64_t* out) {
  const json* value = Find(key);
  if (value == nullptr) return;
  constexpr double kExact = 9007199254740992.0;
  const double number = value->is_number() ? value->get<double>() : std::nan("");
  const bool fits = number >= -kExact && number <= kExact && number == std::floor(number);
  if (!fits) return WrongType(FullName(key), "a whole number");
  *out = static_cast<int64_t>(number);
}

void JsonFields::TextMap(const char* key, std::map<std::string, std::string>* out) {
  const json* value = Object(key);
  if (value == nullptr) return;
  for (const auto& [name, member] : value->items()) {
    if (!member.is_string()) return WrongType(FullName(key), "an object of texts");
    (*out)[name] = member.get<std::string>();
  }
}

void JsonFields::TextList(const char* key, std::vector<std::string>* out) {
  const json* value = List(key);
  if (value == nullptr) return;
  for (const json& member : *value) {
    if (!member.is_string()) return WrongType(FullName(key), "a list of texts");
    out->push_back(member.get<std::string>());
  }
}

void JsonFields::Ignore(const char* key) {
  (void)Find(key);
}

JsonFields JsonFields::Section(const char* key) {
  static const json kAbsent;
  const json* value = Find(key);
  return JsonFields(value == nullptr ? kAbsent : *value, FullName(key), errors_);
}

const json* JsonFields::List(const char* key) {
  const json* value = Find(key);
  if (value == nullptr || value->is_array()) return value;
  WrongType(FullName(key), "a list");
  return nullptr;
}

const json* JsonFields::Object(const char* key) {
  const json* value = Find(key);
  if (value == nullptr || value->is_object()) return value;
  WrongType(FullName(key), "an object");
  return nullptr;
}

void JsonFields::Finish() {
  for (const auto& [lower, entry] : entries_) {
    const bool known = std::any_of(known_.begin(), known_.end(), [&lower = lower](const auto& k) {
      return LowerCase(k) == lower;
    });
    if (known || !errors_->unknown_key.empty()) continue;
    // A key may be long or hold anything: it is the user's own text.
    errors_->unknown_key = "unknown key '" + FullName(entry.first.substr(0, 100)) + "'" +
                           DidYouMean(entry.first, known_);
  }
}

}  // namespace cdc
