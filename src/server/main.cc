// milvus-cdc: the server (serve, config check), and the commands that talk to one (cli/).
#include <signal.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>

#include "base/allocator.h"
#include "base/log.h"
#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "server/app.h"
#include "server/config.h"
#include "server/config_check.h"

namespace {

constexpr const char* kDefaultConfigs[] = {"cdc.yaml", "configs/cdc.yaml"};

// The file to read when none was named; empty: none is there, use the defaults.
std::string FindConfig() {
  for (const char* path : kDefaultConfigs) {
    std::error_code error;
    if (std::filesystem::exists(path, error)) return path;
  }
  return "";
}

int Serve(const std::string& path) {
  cdc::Result<cdc::ServerConfig> config = cdc::LoadConfig(path);
  if (!config.ok()) {
    std::cerr << "milvus-cdc: " << config.error().message << "\n";
    return 2;
  }
  cdc::InitLog(config->log_level, config->log_file);
  cdc::LogInfo("milvus-cdc {} with {}", CDC_VERSION,
               path.empty() ? "default settings" : "configuration " + path);
  return cdc::RunServer(*config);
}

void AddConfigOption(CLI::App* command, std::string* path) {
  command
      ->add_option("--config,-c", *path,
                   "Configuration file (default: cdc.yaml or configs/cdc.yaml if there)")
      ->type_name("FILE");
}

}  // namespace

int main(int argc, char** argv) {
  cdc::SetUpAllocator();
  signal(SIGPIPE, SIG_IGN);  // a peer that goes away is an error of that call
  CLI::App app{"Keeps one Milvus equal to a selection of another."};
  app.name("milvus-cdc");
  app.set_version_flag("--version", "milvus-cdc " CDC_VERSION);
  app.require_subcommand(1);
  std::string config;
  CLI::App* serve = app.add_subcommand("serve", "Run the server until SIGTERM or SIGINT");
  AddConfigOption(serve, &config);
  CLI::App* about_config = app.add_subcommand("config", "Look at the configuration");
  about_config->require_subcommand(1);
  CLI::App* check = about_config->add_subcommand(
      "check", "Tell every mistake of the configuration; start nothing. Ends with 0 or 2");
  AddConfigOption(check, &config);
  bool show = false;
  check->add_flag(
      "--show", show,
      "Print the configuration in effect with the origin of each value; secrets are ***");
  cdc::Commands commands(&app, cdc::ProcessConsole());
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : static_cast<int>(cdc::ExitCode::kUsage);
  }
  try {
    if (const std::optional<int> code = commands.Run()) return *code;
    if (config.empty()) config = FindConfig();
    if (check->parsed()) {
      return cdc::CheckConfig(config, show, cdc::ProcessEnvironment(), std::cout, std::cerr);
    }
    return Serve(config);
  } catch (const std::exception& e) {
    std::cerr << "milvus-cdc: " << e.what() << "\n";
    return 1;
  }
}
