// `milvus-cdc config check`: the configuration as `serve` would read it, without starting anything.
#pragma once

#include <iosfwd>
#include <string>

#include "server/config_environment.h"

namespace cdc {

// Reads a file (an empty path: none) and the environment. Every mistake and every warning becomes a
// line on `err`; without mistakes "FILE: ok" goes to `out`. `show`: the configuration in effect
// goes to `out` instead, as YAML with the origin of each value, and without secrets. Returns the
// exit code: 0, or 2 when there are mistakes. Reads the files that the configuration names;
// connects to nothing.
int CheckConfig(const std::string& path, bool show, const Environment& environment,
                std::ostream& out, std::ostream& err);

}  // namespace cdc
