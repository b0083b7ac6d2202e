// milvus-cdc: the server (serve, config check, doctor, import), and the commands that talk to one
// (cli/).
#include <signal.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>

#include "base/allocator.h"
#include "base/log.h"
#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/create_request.h"
#include "server/app.h"
#include "server/config.h"
#include "server/config_check.h"
#include "server/doctor.h"
#include "server/import_command.h"

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

// `request`: a file with a create request, "-" for standard input, empty for none.
int Doctor(const std::string& path, const std::string& request, bool json) {
  cdc::Result<cdc::ServerConfig> config = cdc::LoadConfig(path);
  if (!config.ok()) {
    std::cerr << "milvus-cdc: " << config.error().message << "\n";
    return 2;
  }
  std::string body;
  if (!request.empty()) {
    std::ifstream file;
    if (request != "-") file.open(request);
    std::istream& in = request == "-" ? std::cin : file;
    if (!in) {
      std::cerr << "milvus-cdc: cannot read " << request << "\n";
      return 2;
    }
    const std::string text(std::istreambuf_iterator<char>(in), {});
    cdc::Result<std::string> read = cdc::CreateBodyOf(text);
    if (!read.ok()) {
      std::cerr << "milvus-cdc: " << request << ": " << read.error().message << "\n";
      return 2;
    }
    body = *std::move(read);
  }
  cdc::InitLog(cdc::LogLevel::kError, "");
  return cdc::RunDoctor(*config, body, json, std::cout, std::cerr);
}

int Import(const std::string& path, const cdc::ImportArguments& arguments) {
  cdc::Result<cdc::ServerConfig> config = cdc::LoadConfig(path);
  if (!config.ok()) {
    std::cerr << "milvus-cdc: " << config.error().message << "\n";
    return 2;
  }
  cdc::InitLog(cdc::LogLevel::kError, "");
  return cdc::RunImport(*config, arguments, cdc::ProcessEnvironment(), std::cout, std::cerr);
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
  CLI::App* doctor = app.add_subcommand(
      "doctor",
      "Look at the source that the configuration names, and with --file at a task and its target;\n"
      "say what would keep it from working. Needs no server that runs, changes nothing. Ends with\n"
      "0, or 1 when something is wrong. Example:\n"
      "  milvus-cdc doctor --config cdc.yaml --file request.json");
  AddConfigOption(doctor, &config);
  std::string request;
  doctor
      ->add_option("--file", request,
                   "The task: a create request as POST /cdc takes it; - is standard input")
      ->type_name("FILE");
  bool json = false;
  doctor->add_flag("--json", json, "Print JSON, as POST /api/v1/preflight answers it");
  CLI::App* import = app.add_subcommand(
      "import",
      "Take over the tasks and positions of a Go Milvus-CDC from its etcd or MySQL, which is left\n"
      "as it is. Both servers must be stopped. Ends with 1 when a task was refused. Example:\n"
      "  milvus-cdc import --config cdc.yaml --from go/configs/cdc.yaml --dry-run");
  AddConfigOption(import, &config);
  cdc::ImportArguments import_arguments;
  cdc::AddImportOptions(import, &import_arguments);
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
    if (doctor->parsed()) return Doctor(config, request, json);
    if (import->parsed()) return Import(config, import_arguments);
    return Serve(config);
  } catch (const std::exception& e) {
    std::cerr << "milvus-cdc: " << e.what() << "\n";
    return 1;
  }
}
