// One JSON object of a request, read key by key with types and leftovers checked. Private to the
// parsers of requests. Keys are compared without regard to case; null counts as absent.
//
// Errors are collected in FieldErrors: the first wrong type and the first unknown key. None of the
// messages repeats a value. One thread.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace cdc {

// A body as JSON. kInvalid: it is none, is nested too deeply, or is no object; the message repeats
// nothing of it.
Result<nlohmann::json> ParseJsonObject(const std::string& body);

struct FieldErrors {
  std::string wrong_type;   // empty: none
  std::string unknown_key;  // empty: none
};

class JsonFields {
 public:
  // `value` must outlive this; `path` names it in messages ("" for request_data itself).
  JsonFields(const nlohmann::json& value, std::string path, FieldErrors* errors);

  // Each reads one key if it is there, and leaves `out` alone otherwise.
  void Text(const char* key, std::string* out);
  void Flag(const char* key, bool* out);
  void Number(const char* key, int* out);
  void Number(const char* key, int64_t* out);  // below 2^53, as JSON readers keep it
  void TextMap(const char* key, std::map<std::string, std::string>* out);
  void TextList(const char* key, std::vector<std::string>* out);
  // A key of any type that is accepted and has no effect.
  void Ignore(const char* key);
  bool Has(const char* key) const;
  // A nested object; an absent one is empty.
  JsonFields Section(const char* key);
  // The elements of a list, and the members of an object whose keys are data. Null: absent.
  const nlohmann::json* List(const char* key);
  const nlohmann::json* Object(const char* key);

  // Refuses keys that nothing above asked for.
  void Finish();

  std::string FullName(const std::string& key) const;
  void WrongType(const std::string& name, const char* expected);

 private:
  const nlohmann::json* Find(const char* key);

  std::map<std::string, std::pair<std::string, const nlohmann::json*>> entries_;  // by lower case
  std::vector<std::string> known_;
  std::string path_;
  FieldErrors* errors_;
};

}  // namespace cdc
