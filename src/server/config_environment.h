// What the environment of the process adds to cdc.yaml. Reads files that it names; any thread.
//
//   MILVUS_CDC__SOURCECONFIG__ETCDADDRESS=a:2379,b:2379    overrides sourceConfig.etcdAddress
//   MILVUS_CDC__SECURITY__APITOKEN_FILE=/run/secrets/t     the same, with the value in a file
//   password: ${env:NAME}, password: ${file:/run/secrets/p} inside cdc.yaml
//
// Names are compared without regard to case; "__" stands between the levels of a key. One line
// break at the end of a file is not part of its value. No error repeats a value.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace cdc {

using Environment = std::map<std::string, std::string>;
Environment ProcessEnvironment();

// The variable that overrides a key: "a.bC" is MILVUS_CDC__A__BC.
std::string VariableOf(const std::string& key);

// `text` with each ${env:NAME} and ${file:/path} replaced by what it stands for; "$${env:" and
// "$${file:" are left as "${env:" and "${file:". `expanded` becomes true when something was
// replaced: the result is to be treated as a secret.
Result<std::string> ExpandReferences(const std::string& text, const Environment& environment,
                                     bool* expanded);

// What a file holds, without the line's end behind it. kInvalid: it cannot be read, or is not a
// short text; the message names it.
Result<std::string> ReadValue(const std::string& path);

// The overrides of one environment.
class ConfigOverrides {
 public:
  struct Value {
    std::string variable;  // as it is written in the environment
    std::string text;
    bool hidden = false;  // came from a file: treated as a secret
  };

  // Reads the files of variables that end in _FILE. What is wrong is found in errors().
  explicit ConfigOverrides(const Environment& environment);

  // Of a key "section.key"; null: none.
  const Value* Find(const std::string& key) const;
  const std::vector<std::string>& errors() const { return errors_; }
  // One line for each variable that belongs to none of the keys.
  std::vector<std::string> Unknown(const std::vector<std::string>& keys) const;

 private:
  std::map<std::string, Value> values_;  // by key in lower case
  std::vector<std::string> errors_;
};

}  // namespace cdc
