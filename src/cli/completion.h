// Completion scripts for shells, made from the command line's own description, so that they know
// every command and option that it has. Pure functions.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace cdc {

// For `source <(… completion bash)` or a file in /etc/bash_completion.d.
std::string BashCompletion(const CLI::App& app);
// For a file _NAME in a folder of $fpath, or to be sourced behind compinit.
std::string ZshCompletion(const CLI::App& app);

}  // namespace cdc
