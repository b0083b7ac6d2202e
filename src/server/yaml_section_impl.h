// One mapping of a YAML file, read key by key with types, positions and leftovers checked, and with
// the overrides of the environment. Private to config.cc. Every mistake is collected in the
// YamlContext, and every key that is asked for becomes one of its entries. One thread.
#pragma once

#include <yaml-cpp/yaml.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/config_reading.h"

namespace cdc {

// What the sections of one file share.
struct YamlContext {
  struct Mistake {
    int line = 0;  // in the file; 0: not there
    std::string text;
  };
  std::string file;  // for messages
  Environment environment;
  ConfigOverrides overrides;
  std::vector<Mistake> mistakes;
  std::vector<ConfigEntry> entries;
};

class YamlSection {
 public:
  // `path` is the dotted name of the section ("" at the top); `context` outlives this.
  YamlSection(const YAML::Node& node, std::string path, YamlContext* context);

  // Each reads one key if it is there and not null, and leaves `out` alone otherwise: what it holds
  // before is the default. True: a value was read.
  bool Text(const char* key, std::string* out);
  bool Secret(const char* key, std::string* out);      // never shown
  bool FilledText(const char* key, std::string* out);  // an empty one counts as absent
  bool Number(const char* key, int* out, int min, int max);
  bool NumberOrDefault(const char* key, int* out, int max);  // from 0 on, which counts as absent
  bool Flag(const char* key, bool* out);
  bool TextList(const char* key, std::vector<std::string>* out);  // a single text is a list of one
  bool TextMap(const char* key, std::map<std::string, std::string>* out);
  // A key of any type without effect here.
  void Ignore(const char* key);
  // A nested section; an absent one is empty.
  YamlSection Section(const char* key);
  bool Has(const char* key) const;
  bool Names(const char* key) const;  // is it written at all, even without a value?

  // Refuses keys that nothing above asked for.
  void Finish();
  // Reports an error at the position of `key`.
  void Fail(const char* key, const std::string& what);
  // For messages: the value, or *** if it is a secret.
  std::string Shown(const char* key, const std::string& value) const;
  // The keys read from here on have no effect, or this one has none.
  void NoEffect(const std::string& why) { no_effect_ = why; }
  void NoEffect(const char* key, const std::string& why);
  // The value of this key is another one after all.
  void Correct(const char* key, const std::string& value);

 private:
  enum class Shape { kScalar, kList, kMap };
  struct Entry {
    std::string name;  // as written
    YAML::Mark mark;
    YAML::Node value;
  };

  // The value of a key, from the environment or the file; none: absent.
  std::optional<YAML::Node> Find(const char* key, Shape shape);
  std::optional<YAML::Node> FromVariable(const char* key, Shape shape,
                                         const ConfigOverrides::Value& value);
  // The text of a scalar, with its references replaced. False: there is a mistake.
  bool Scalar(const char* key, const YAML::Node& node, std::string* out);
  // Adds the entry of a key; `value` as YAML.
  void Record(const char* key, const std::string& value);
  ConfigEntry* Recorded(const char* key);
  void FailAt(const YAML::Mark& mark, const std::string& what);
  std::string FullName(const std::string& key) const;

  std::map<std::string, Entry> entries_;  // by lower-case key
  std::map<std::string, bool> hidden_;    // by lower-case key: came by a reference
  std::vector<std::string> known_;
  std::string path_;
  std::string no_effect_;
  YamlContext* context_;
};

}  // namespace cdc
