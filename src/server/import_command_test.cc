#include "server/import_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace cdc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(ImportCommand, ReadsWhereOurOwnStoreIsUnlessToldOtherwise) {
  MetaStoreConfig own;
  own.store_type = "etcd";
  own.root_path = "cdc";
  own.etcd.username = "u";
  ImportArguments arguments;
  EXPECT_EQ(ImportSource(own, arguments, {})->root_path, "cdc");

  arguments.from_etcd = "a:1,b:2";
  arguments.root_path = "other";
  Result<MetaStoreConfig> from = ImportSource(own, arguments, {});
  ASSERT_TRUE(from.ok());
  EXPECT_THAT(from->etcd.addresses, ElementsAre("a:1", "b:2"));
  EXPECT_EQ(from->etcd.username, "u");
  EXPECT_EQ(from->root_path, "other");

  arguments = {};
  arguments.from_mysql = "root:sesame@tcp(h:3306)/milvuscdc";
  from = ImportSource(own, arguments, {});
  ASSERT_TRUE(from.ok());
  EXPECT_EQ(from->store_type, "mysql");
  EXPECT_EQ(from->mysql_source_url, arguments.from_mysql);
}

TEST(ImportCommand, SqliteIsNoPlaceOfTheExistingOne) {
  const Result<MetaStoreConfig> from = ImportSource({}, {}, {});
  ASSERT_FALSE(from.ok());
  EXPECT_EQ(from.error().kind, ErrorKind::kInvalid);
  EXPECT_THAT(from.error().message, HasSubstr("--from"));
}

TEST(ImportCommand, TheOthersConfigurationIsNotOverridden) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("import_command_test." + std::to_string(getpid()));
  std::ofstream(path) << "metaStoreConfig:\n  storeType: etcd\n  rootPath: theirs\n"
                         "  etcd:\n    address: [\"e:${env:PORT}\"]\n";
  ImportArguments arguments;
  arguments.from_file = path;
  const Result<MetaStoreConfig> from = ImportSource(
      {}, arguments, {{"MILVUS_CDC__METASTORECONFIG__STORETYPE", "sqlite"}, {"PORT", "2379"}});
  std::filesystem::remove(path);
  ASSERT_TRUE(from.ok()) << from.error().message;
  EXPECT_EQ(from->store_type, "etcd");
  EXPECT_EQ(from->root_path, "theirs");
  EXPECT_THAT(from->etcd.addresses, ElementsAre("e:2379"));
}

GoImport Sample() {
  GoImport import;
  ImportedTask one;
  one.task.spec.id = "t1";
  one.task.spec.target.token = "sesame";
  one.task.state = TaskState::kPaused;
  one.first.channels = {{"dml_0", {LogPosition::Kind::kAt, {0, 7}}, 0, 1}};
  one.notes = {"a note"};
  import.tasks.push_back(one);
  import.refused = {{ "t2", "because" }};
  return import;
}

TEST(ImportCommand, TellsWhatWasTakenOverAndWhatNot) {
  std::ostringstream out;
  PrintImport(Sample(), false, false, out);
  EXPECT_THAT(out.str(), HasSubstr("task t1: imported, paused"));
  EXPECT_THAT(out.str(), HasSubstr("\n  a note\n"));
  EXPECT_THAT(out.str(), HasSubstr("task t2: not imported: because"));
  EXPECT_THAT(out.str(), HasSubstr("Do not start the Go Milvus-CDC"));
  EXPECT_THAT(out.str(), Not(HasSubstr("sesame")));
  out.str("");
  PrintImport(Sample(), true, false, out);
  EXPECT_THAT(out.str(), HasSubstr("task t1: would be imported"));
}

TEST(ImportCommand, Json) {
  std::ostringstream out;
  PrintImport(Sample(), true, true, out);
  EXPECT_EQ(out.str(), R"({
  "dry_run": true,
  "imported": [
    {
      "channels": {
        "dml_0": "at 7"
      },
      "id": "t1",
      "notes": [
        "a note"
      ],
      "state": "paused"
    }
  ],
  "refused": [
    {
      "id": "t2",
      "reason": "because"
    }
  ]
}
)");
}

TEST(ImportCommand, AWrongPlaceIsAMistakeOfTheCommandLine) {
  std::ostringstream out, err;
  EXPECT_EQ(RunImport({}, {}, {}, out, err), 2);
  EXPECT_THAT(err.str(), HasSubstr("--from-etcd"));
  EXPECT_EQ(out.str(), "");
}

TEST(ImportCommand, EveryOptionIsDocumented) {
  std::ifstream file(std::filesystem::path(__FILE__).parent_path() /
                     "../../docs/operations/cli.md");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  EXPECT_THAT(text, HasSubstr("`milvus-cdc import"));
  CLI::App app;
  ImportArguments arguments;
  AddImportOptions(&app, &arguments);
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      if (name == "help") continue;
      const bool named = text.find("--" + name + "`") != std::string::npos ||
                         text.find("--" + name + " ") != std::string::npos;
      EXPECT_TRUE(named) << name;
    }
  }
}

}  // namespace
}  // namespace cdc
