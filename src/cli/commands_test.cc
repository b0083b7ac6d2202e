// Command lines become requests.
#include "cli/commands.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/program_test.h"

namespace cdc {
namespace {

using nlohmann::json;

constexpr const char* kTask = R"({"id": "t1", "state": "running", "reason": ""})";

struct Asked {
  std::string line;
  std::string method;
  std::string path;
  std::string body;
};

TEST(CommandsTest, ChangesOfATask) {
  for (const Asked& asked : std::vector<Asked>{
           {"task show t1", "GET", "/api/v1/tasks/t1", ""},
           {"task show 'a?b#%ü'", "GET", "/api/v1/tasks/a%3Fb%23%25%C3%BC", ""},
           {"task pause t1", "POST", "/api/v1/tasks/t1/pause", ""},
           {"task resume t1", "POST", "/api/v1/tasks/t1/resume", ""},
           {"task resume t1 --accept-source", "POST", "/api/v1/tasks/t1/resume",
            R"({"accept_source":true})"},
           {"task rewind t1 --to 2026-05-09T07:30:00Z", "POST", "/api/v1/tasks/t1/rewind",
            R"({"to_ms":1778311800000})"},
           {"task rewind t1 --to 1778311800123", "POST", "/api/v1/tasks/t1/rewind",
            R"({"to_ms":1778311800123})"},
           {"task delete t1 --yes", "DELETE", "/api/v1/tasks/t1", ""},
           {"position t1", "GET", "/api/v1/tasks/t1/positions", ""},
       }) {
    Program program;
    program.WillAnswer(200, kTask);
    EXPECT_EQ(program.Run(asked.line), 0) << asked.line << program.err.str();
    ASSERT_EQ(program.requests.size(), 1u) << asked.line;
    EXPECT_EQ(program.requests[0].method, asked.method) << asked.line;
    EXPECT_EQ(program.requests[0].path, asked.path) << asked.line;
    EXPECT_EQ(program.requests[0].body, asked.body) << asked.line;
  }
}

TEST(CommandsTest, ListFollowsThePages) {
  Program program;
  program.WillAnswer(200, R"({"tasks": [{"id": "a"}, {"id": "b/"}], "next": "b/"})");
  program.WillAnswer(200, R"({"tasks": [{"id": "c"}], "next": null})");
  EXPECT_EQ(program.Run("task list --json --state failed"), 0);
  ASSERT_EQ(program.requests.size(), 2u);
  EXPECT_EQ(program.requests[0].path, "/api/v1/tasks?limit=1000&state=failed");
  EXPECT_EQ(program.requests[1].path, "/api/v1/tasks?limit=1000&state=failed&after=b%2F");
  EXPECT_EQ(json::parse(program.out.str()),
            json::parse(R"({"tasks": [{"id": "a"}, {"id": "b/"}, {"id": "c"}]})"));
}

TEST(CommandsTest, AServerThatRepeatsAPageDoesNotKeepListBusy) {
  Program program;
  for (int i = 0; i < 3; ++i) program.WillAnswer(200, R"({"tasks": [], "next": "x"})");
  EXPECT_EQ(program.Run("task list"), 1);
  EXPECT_EQ(program.requests.size(), 2u);
}

TEST(CommandsTest, CreateFromFlags) {
  Program program;
  program.environment["MILVUS_CDC_TARGET_TOKEN"] = "root:Milvus";
  program.WillAnswer(201, kTask);
  EXPECT_EQ(program.Run("task create --target-uri http://t:19530 --collections orders,shop.item_* "
                        "--collections shop.a --databases hr --exclude shop.tmp_*,old "
                        "--name-mapping hr=staff --name-mapping shop.a=staff.b,default.orders=d.o "
                        "--mode api --task-id t1 --load once --drops hold --adopt "
                        "--no-auto-start"),
            0)
      << program.err.str();
  ASSERT_EQ(program.requests.size(), 1u);
  EXPECT_EQ(program.requests[0].method, "POST");
  EXPECT_EQ(program.requests[0].path, "/api/v1/tasks");
  EXPECT_EQ(json::parse(program.requests[0].body), json::parse(R"({
    "milvus_connect_param": {"uri": "http://t:19530", "token": "root:Milvus", "mode": "api"},
    "db_collections": {"default": [{"name": "orders"}], "hr": [{"name": "*"}],
                       "shop": [{"name": "item_*"}, {"name": "a"}]},
    "exclude_collections": ["shop.tmp_*", "default.old"],
    "name_mapping": [
      {"source_db": "default", "target_db": "d", "collection_mapping": {"orders": "o"}},
      {"source_db": "hr", "target_db": "staff", "collection_mapping": {"*": "*"}},
      {"source_db": "shop", "target_db": "staff", "collection_mapping": {"a": "b"}}],
    "task_id": "t1", "load": "once", "drops": "hold", "adopt": true,
    "disable_auto_start": true})"));
}

TEST(CommandsTest, CreateSaysNothingOfWhatIsNotGiven) {
  Program program;
  program.WillAnswer(201, kTask);
  EXPECT_EQ(program.Run("task create --target-uri t:1 --databases '*'"), 0) << program.err.str();
  EXPECT_EQ(json::parse(program.requests.at(0).body), json::parse(R"({
    "milvus_connect_param": {"uri": "t:1"}, "db_collections": {"*": [{"name": "*"}]}})"));
}

TEST(CommandsTest, CreateRefusesNamesOfAnotherForm) {
  const std::string start = "task create --target-uri t:1 ";
  for (const auto& [flags, words] : std::map<std::string, std::string>{
           {"", "--databases '*'"},
           {"--collections a.b.c", "'a.b.c'"},
           {"--collections .b", "'.b'"},
           {"--databases a.b", "--collections"},
           {"--databases a --exclude b.", "'b.'"},
           {"--databases a --name-mapping a", "'db=db'"},
           {"--databases a --name-mapping a=b=c", "'a=b=c'"},
           {"--databases a --name-mapping a=b.c", "one side"},
           {"--databases a --name-mapping a=b,a=b", "twice"},
       }) {
    Program program;
    EXPECT_EQ(program.Run(start + flags), 2) << flags;
    EXPECT_NE(program.err.str().find(words), std::string::npos) << program.err.str();
  }
}

TEST(CommandsTest, CreateFromAFileOrStandardInput) {
  const json data = {{"task_id", "x"}, {"blackhole_connect_param", json::object()}};
  const std::string file = testing::TempDir() + "cli_request.json";
  std::ofstream(file) << json({{"request_type", "create"}, {"request_data", data}});
  Program program;
  program.WillAnswer(201, kTask);
  EXPECT_EQ(program.Run("task create --file " + file), 0) << program.err.str();
  EXPECT_EQ(json::parse(program.requests.at(0).body), data);

  program.in.str(data.dump());
  program.WillAnswer(201, kTask);
  EXPECT_EQ(program.Run("task create --file -"), 0) << program.err.str();
  EXPECT_EQ(json::parse(program.requests.at(0).body), data);

  for (const char* text : {"", "[]", R"({"request_type": "list", "request_data": {}})",
                           R"({"request_type": "create"})", "{\"token\": \"hush\""}) {
    program.in.clear();
    program.in.str(text);
    EXPECT_EQ(program.Run("task create --file -"), 2) << text;
    EXPECT_EQ(program.err.str().find("hush"), std::string::npos);
  }
}

TEST(CommandsTest, DryRunIsAskedOfTheServer) {
  Program program;
  program.WillAnswer(200, R"({"dry_run": true, "task": {"id": null, "exists": false}})");
  EXPECT_EQ(program.Run("task create --target-uri t:1 --databases a --dry-run --paused"), 0);
  ASSERT_EQ(program.requests.size(), 1u);
  EXPECT_EQ(program.requests[0].path, "/api/v1/tasks?dry_run=true");
}

TEST(CommandsTest, PausedIsASecondRequestForTheTaskThatWasMade) {
  Program program;
  program.WillAnswer(201, kTask);
  program.WillAnswer(200, R"({"id": "t1", "state": "paused"})");
  EXPECT_EQ(program.Run("task create --target-uri t:1 --databases a --paused"), 0);
  ASSERT_EQ(program.requests.size(), 2u);
  EXPECT_EQ(program.requests[1].path, "/api/v1/tasks/t1/pause");
  EXPECT_EQ(program.out.str(), "task t1 is paused\n");

  program.WillAnswer(200, kTask);  // it was there before
  EXPECT_EQ(program.Run("task create --target-uri t:1 --databases a --paused"), 0);
  EXPECT_EQ(program.requests.size(), 1u);

  program.WillAnswer(201, kTask);
  program.WillAnswer(500, R"({"detail": "no space"})");
  EXPECT_EQ(program.Run("task create --target-uri t:1 --databases a --paused"), 1);
  EXPECT_EQ(program.err.str(),
            "milvus-cdc: task t1 is running, but could not be paused: no space (HTTP 500)\n");
}

TEST(CommandsTest, TheTargetsTokenComesFromAFileToo) {
  const std::string file = testing::TempDir() + "cli_target_token";
  std::ofstream(file) << "root:Other \nsecond line\n";
  Program program;
  program.environment["MILVUS_CDC_TARGET_TOKEN"] = "root:Milvus";
  program.WillAnswer(201, kTask);
  EXPECT_EQ(program.Run("task create --target-uri t:1 --databases a --target-token-file " + file),
            0);
  EXPECT_EQ(json::parse(program.requests.at(0).body)["milvus_connect_param"]["token"],
            "root:Other");
}

TEST(CommandsTest, DeleteAsksOnATerminal) {
  Program program;
  program.terminal = true;
  program.in.str("n\n");
  EXPECT_EQ(program.Run("task delete t1"), 1);
  EXPECT_TRUE(program.requests.empty());
  EXPECT_NE(program.err.str().find("Delete task t1?"), std::string::npos);

  program.in.clear();
  program.in.str("y\n");
  program.WillAnswer(204, "");
  EXPECT_EQ(program.Run("task delete t1"), 0);
  EXPECT_EQ(program.requests.size(), 1u);
  EXPECT_EQ(program.out.str(), "task t1 is deleted; what it has copied stays on the target\n");

  program.in.clear();
  program.in.str("");  // its end, as Ctrl-D
  EXPECT_EQ(program.Run("task delete t1"), 1);
  EXPECT_TRUE(program.requests.empty());
}

}  // namespace
}  // namespace cdc
