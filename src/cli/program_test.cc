#include "cli/program_test.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace cdc {

class Program::FakeTransport final : public Transport {
 public:
  explicit FakeTransport(Program* program) : program_(program) {}
  Result<ApiAnswer> Send(const ApiRequest& request) override {
    program_->requests.push_back(request);
    if (program_->outcomes_.empty()) return FatalError("the test has no answer to this");
    Result<ApiAnswer> outcome = program_->outcomes_.front();
    program_->outcomes_.pop_front();
    return outcome;
  }

 private:
  Program* program_;
};

Console Program::MakeConsole() {
  Console console;
  console.out = &out;
  console.err = &err;
  console.in = &in;
  console.clock = &clock;
  console.in_is_terminal = console.out_is_terminal = terminal;
  console.width = terminal ? 70 : 0;
  console.sleep = [this](Duration time) {
    clock.ms += std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  };
  console.environment = [this](const char* name) { return environment[name]; };
  console.connect = [this](const RemoteOptions& options) -> Result<std::unique_ptr<Transport>> {
    connected = options;
    return std::unique_ptr<Transport>(new FakeTransport(this));
  };
  return console;
}

int Program::Run(const std::string& line) {
  requests.clear();
  connected = RemoteOptions{};
  out.str("");
  err.str("");
  CLI::App app{"A program"};
  app.name("milvus-cdc");
  app.require_subcommand(1);
  Commands commands(&app, MakeConsole());
  try {
    app.parse(line);
  } catch (const CLI::ParseError& e) {
    return app.exit(e, out, err) == 0 ? 0 : 2;
  }
  return commands.Run().value_or(-1);
}

namespace {

constexpr const char* kTask = R"({"id": "t1", "state": "paused", "reason": ""})";

TEST(CommandLineTest, WrongUsageEndsWith2AndAsksNobody) {
  Program program;
  for (const char* line :
       {"", "task", "task dance", "task show", "task show a b", "task list --state asleep",
        "task watch t1 --until tomorrow", "task rewind t1", "task rewind t1 --to yesterday",
        "task create --mode magic", "task list --timeout 0", "completion fish", "task create",
        "task create --target-uri http://a --collections a.b.c", "task delete t1",
        "task create --file request.json --adopt", "task list --token-file /no/such/file"}) {
    EXPECT_EQ(program.Run(line), 2) << line;
    EXPECT_NE(program.err.str(), "") << line;
    EXPECT_TRUE(program.requests.empty()) << line;
  }
}

TEST(CommandLineTest, HelpOfEachCommandHasAnExample) {
  Program program;
  for (const char* command :
       {"task create", "task list", "task show", "task pause", "task resume", "task delete",
        "task rewind", "task watch", "position", "completion"}) {
    EXPECT_EQ(program.Run(std::string(command) + " --help"), 0) << command;
    EXPECT_NE(program.out.str().find("Example:\n  "), std::string::npos) << command;
    EXPECT_NE(program.out.str().find(std::string("milvus-cdc ") + command), std::string::npos);
  }
}

TEST(CommandLineTest, ServerAndTokenComeFromOptionsOrTheEnvironment) {
  Program program;
  program.WillAnswer(200, kTask);
  EXPECT_EQ(program.Run("task show t1"), 0);
  EXPECT_EQ(program.connected.server, "http://127.0.0.1:8444");
  EXPECT_EQ(program.connected.token, "");

  program.environment = {{"MILVUS_CDC_SERVER", "https://cdc:1"}, {"MILVUS_CDC_TOKEN", "secret"}};
  program.WillAnswer(200, kTask);
  EXPECT_EQ(program.Run("task show t1"), 0);
  EXPECT_EQ(program.connected.server, "https://cdc:1");
  EXPECT_EQ(program.connected.token, "secret");

  program.WillAnswer(200, kTask);
  EXPECT_EQ(program.Run("--server http://one task show t1 --token other --ca-file ca --cert c "
                        "--key k --timeout 5"),
            0);
  EXPECT_EQ(program.connected.server, "http://one");
  EXPECT_EQ(program.connected.token, "other");
  EXPECT_EQ(program.connected.ca_file, "ca");
  EXPECT_EQ(program.connected.cert_file, "c");
  EXPECT_EQ(program.connected.key_file, "k");
  EXPECT_EQ(program.connected.timeout_seconds, 5);

  program.WillAnswer(200, kTask);
  EXPECT_EQ(program.Run("--server http://one task show t1 --server http://two"), 0);
  EXPECT_EQ(program.connected.server, "http://two");
}

TEST(CommandLineTest, WhatTheServerRefusesEndsWith1AndItsDetail) {
  Program program;
  program.WillAnswer(404, R"({"title": "Not Found", "detail": "no task t9", "kind": "not_found"})");
  EXPECT_EQ(program.Run("task show t9"), 1);
  EXPECT_EQ(program.err.str(), "milvus-cdc: no task t9 (HTTP 404)\n");
  EXPECT_EQ(program.out.str(), "");

  program.WillAnswer(404, "<html>nginx</html>");
  EXPECT_EQ(program.Run("task show t9"), 1);
  EXPECT_NE(program.err.str().find("no milvus-cdc"), std::string::npos) << program.err.str();
  program.WillAnswer(200, "<html>hello</html>");
  EXPECT_EQ(program.Run("task show t9"), 1);
  EXPECT_NE(program.err.str().find("no milvus-cdc"), std::string::npos) << program.err.str();
}

TEST(CommandLineTest, AMissingTokenIsToldFromAWrongOne) {
  Program program;
  const char* kUnauthorized = R"({"title": "Unauthorized", "detail": "send the token"})";
  program.WillAnswer(401, kUnauthorized);
  EXPECT_EQ(program.Run("task list"), 1);
  EXPECT_NE(program.err.str().find("asks for a token"), std::string::npos) << program.err.str();
  program.WillAnswer(401, kUnauthorized);
  EXPECT_EQ(program.Run("task list --token hush"), 1);
  EXPECT_NE(program.err.str().find("refuses the token"), std::string::npos) << program.err.str();
  EXPECT_EQ(program.err.str().find("hush"), std::string::npos);
}

TEST(CommandLineTest, NoAnswerEndsWith3) {
  Program program;
  program.WillFail(RetryError("nothing answers there", ErrorKind::kUnavailable));
  EXPECT_EQ(program.Run("task list"), 3);
  EXPECT_EQ(program.err.str(), "milvus-cdc: nothing answers there\n");
  program.WillFail(RetryError("too late", ErrorKind::kUnknownOutcome));
  EXPECT_EQ(program.Run("task pause t1"), 3);
}

TEST(CommandLineTest, NothingOfAServerReachesTheTerminalAsACommand) {
  Program program;
  program.WillAnswer(400, "{\"detail\": \"bad \\u001b[2Jname\\n\"}");
  EXPECT_EQ(program.Run("task show t1"), 1);
  EXPECT_EQ(program.err.str(), "milvus-cdc: bad ?[2Jname  (HTTP 400)\n");
}

}  // namespace
}  // namespace cdc
