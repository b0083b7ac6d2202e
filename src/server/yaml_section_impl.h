// One mapping of a YAML file, read key by key with types, positions and leftovers checked. Private
// to config.cc. Errors are collected: the first one counts. One thread.
#pragma once

#include <yaml-cpp/yaml.h>

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace cdc {

class YamlSection {
 public:
  // `path` is the dotted name of the section ("" at the top), `file` for messages. `error` takes
  // the first error and outlives this.
  YamlSection(const YAML::Node& node, std::string path, std::string file, Status* error);

  // Each reads one key if it is there and not null, and leaves `out` alone otherwise.
  // True: a value was read.
  bool Text(const char* key, std::string* out);
  bool Number(const char* key, int* out, int min, int max);
  bool Flag(const char* key, bool* out);
  bool TextList(const char* key, std::vector<std::string>* out);  // a single text is a list of one
  bool TextMap(const char* key, std::map<std::string, std::string>* out);
  // Checks the type only (any scalar, list or map): a key without effect here.
  void Ignore(const char* key);
  // A nested section; an absent one is empty.
  YamlSection Section(const char* key);
  bool Has(const char* key) const;

  // Refuses keys that nothing above asked for.
  void Finish();
  // Reports an error at the position of `key`.
  void Fail(const char* key, const std::string& what);

 private:
  const YAML::Node* Find(const char* key);
  void FailAt(const YAML::Mark& mark, const std::string& what);
  std::string FullName(const std::string& key) const;

  struct Entry {
    std::string name;  // as written
    YAML::Mark mark;
    YAML::Node value;
  };
  std::map<std::string, Entry> entries_;  // by lower-case key
  std::vector<std::string> known_;
  std::string path_;
  std::string file_;
  Status* error_;
};

}  // namespace cdc
