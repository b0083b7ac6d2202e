// docs/operations/cli.md names every command and every option.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cli/commands.h"

namespace cdc {
namespace {

void ExpectNamed(const CLI::App& app, const std::string& path, const std::string& text) {
  EXPECT_NE(text.find("`milvus-cdc" + path), std::string::npos) << path;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      if (name == "help") continue;
      // As a whole word: "--token" is not named by "--token-file".
      const bool named = text.find("--" + name + "`") != std::string::npos ||
                         text.find("--" + name + " ") != std::string::npos;
      EXPECT_TRUE(named) << path << " --" << name;
    }
  }
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    ExpectNamed(*sub, path + " " + sub->get_name(), text);
  }
}

TEST(DocumentationTest, NamesEveryCommandAndOption) {
  std::ifstream file(std::filesystem::path(__FILE__).parent_path() /
                     "../../docs/operations/cli.md");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  ASSERT_FALSE(text.empty());
  CLI::App app;
  Commands commands(&app, Console{});
  ExpectNamed(app, "", text);
}

}  // namespace
}  // namespace cdc
