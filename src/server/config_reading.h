// Reading a configuration with everything that is wrong with it, and with the origin of each value.
// Blocks on the files that it names.
#pragma once

#include <string>
#include <vector>

#include "server/config.h"
#include "server/config_environment.h"

namespace cdc {

// One key as it is in effect.
struct ConfigEntry {
  std::string key;     // "sourceConfig.etcd.address"
  std::string value;   // as YAML; *** for a secret
  std::string origin;  // "cdc.yaml:12", "environment MILVUS_CDC__…" or "default"
  std::string note;    // why the value has no effect; empty: it has
};

struct ConfigReading {
  ServerConfig config;
  std::vector<std::string> errors;   // in the order of the file: "cdc.yaml:1:2: what is wrong"
  std::vector<ConfigEntry> entries;  // every key there is, section by section
};

// `name` stands for the text in messages.
ConfigReading ReadConfig(const std::string& yaml, const std::string& name,
                         const Environment& environment);
// An empty path: no file, only the environment and defaults.
ConfigReading ReadConfigFile(const std::string& path, const Environment& environment);

// A cdc.yaml that says the same as the entries, each with its origin; what has no effect is a
// comment. Secrets are left out.
std::string ShowConfig(const std::vector<ConfigEntry>& entries);
// One text as a YAML scalar, quoted where it must be.
std::string YamlText(const std::string& text);

}  // namespace cdc
