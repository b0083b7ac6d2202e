// The commands of `milvus-cdc` that talk to a running server, and `completion`. What they do is in
// task_commands.h; here they get their names, options and help.
#pragma once

#include <memory>
#include <optional>

#include "cli/console.h"

namespace CLI {
class App;
}

namespace cdc {

class Commands {
 public:
  // Adds them to `app`, the whole program's, which must outlive this.
  Commands(CLI::App* app, Console console);
  ~Commands();
  Commands(const Commands&) = delete;
  Commands& operator=(const Commands&) = delete;

  // Runs the one that app->parse() found. Returns the exit code (api_client.h); nullopt: it found
  // none of these. Blocks.
  std::optional<int> Run();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cdc
