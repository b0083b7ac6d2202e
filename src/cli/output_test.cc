// Answers become what people and programs read.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/program_test.h"

namespace cdc {
namespace {

using nlohmann::json;

json TaskNamed(const std::string& id, const std::string& state) {
  json task = json::parse(R"({
    "reason": "", "since_ms": 1778311700000,
    "health": {"status": "ok", "reason": "", "since_ms": null, "retries": 0,
               "next_attempt_ms": null},
    "mode": "replicate", "mode_reason": "the target is a standby",
    "target": {"kind": "milvus", "uri": "http://target:19530"},
    "selection": {"includes": ["default.orders", "shop.*"], "excludes": ["shop.tmp_*"],
                  "name_mapping": [{"source_db": "shop", "target_db": "copy",
                                    "collection_mapping": {"a": "b"}},
                                   {"source_db": "x", "target_db": "y",
                                    "collection_mapping": {}}]},
    "lag_ms": 350, "safe_time_ms": 1778311799000, "safe_ts": "1", "target_ts": "466172000000000000",
    "log_headroom": {"seconds": 90000, "bytes": 1610612736},
    "counters": {"rows_inserted": 1000, "rows_deleted": 20, "rows_replayed": 3, "bytes": 2048,
                 "duplicate_keys": 0, "retries": 0, "calls": {}},
    "collection_count": 2,
    "collections": [
      {"source_db": "default", "source_collection": "orders", "source_id": "1",
       "target_db": "default", "target_collection": "orders", "state": "streaming",
       "lag_ms": 350, "safe_time_ms": null},
      {"source_db": "shop", "source_collection": "a", "source_id": "2", "target_db": "copy",
       "target_collection": "b", "state": "creating", "lag_ms": 0, "safe_time_ms": null}],
    "transitions": [{"at_ms": 1778311700000, "from": null, "to": "running", "reason": "created"}]
  })");
  task["id"] = id;
  task["state"] = state;
  return task;
}

json Troubled() {
  json task = TaskNamed("t2", "warning");
  task["health"] = {{"status", "warning"},
                    {"reason", "target:19530 refuses the connection"},
                    {"since_ms", 1'778'311'790'000},
                    {"retries", 3},
                    {"next_attempt_ms", 1'778'311'804'000}};
  return task;
}

TEST(OutputTest, List) {
  Program program;
  const json page = {{"tasks", {TaskNamed("t1", "running"), Troubled()}}, {"next", nullptr}};
  program.WillAnswer(200, page.dump());
  EXPECT_EQ(program.Run("task list"), 0);
  EXPECT_EQ(program.out.str(), R"(
ID  STATE    MODE         LAG  COLLECTIONS  TARGET               REASON
t1  running  replicate  350ms            2  http://target:19530
t2  warning  replicate  350ms            2  http://target:19530  target:19530 refuses the connection
)" + 1);

  program.WillAnswer(200, R"({"tasks": [], "next": null})");
  EXPECT_EQ(program.Run("task list"), 0);
  EXPECT_EQ(program.out.str(), "no tasks\n");
}

TEST(OutputTest, ListOnATerminalStaysWithinItsWidth) {
  Program program;
  program.terminal = true;
  const json page = {{"tasks", {TaskNamed("t1", "running"), Troubled()}}, {"next", nullptr}};
  program.WillAnswer(200, page.dump());
  EXPECT_EQ(program.Run("task list"), 0);
  EXPECT_EQ(program.out.str(), R"(
ID  STATE    MODE         LAG  COLLECTIONS  TARGET        REASON
t1  running  replicate  350ms            2  http://targ…
t2  warning  replicate  350ms            2  http://targ…  target:1953…
)" + 1);
}

TEST(OutputTest, Show) {
  Program program;
  program.WillAnswer(200, Troubled().dump());
  EXPECT_EQ(program.Run("task show t2"), 0);
  EXPECT_EQ(program.out.str(), R"(
id            t2
state         warning since 2026-05-09T07:28:20Z (1m40s)
health        warning since 2026-05-09T07:29:50Z (10.0s)
trouble       target:19530 refuses the connection
tried         3 times, again at 2026-05-09T07:30:04Z
mode          replicate: the target is a standby
target        milvus at http://target:19530
copies        default.orders, shop.*
leaves out    shop.tmp_*
renames       shop.a to copy.b, x.* to y.*
lag           350ms
safe time     2026-05-09T07:29:59Z
read with     guarantee timestamp 466172000000000000
log before it 1d01h, 1.5 GiB
rows          1000 inserted, 20 deleted, 3 replayed; 2.0 KiB

SOURCE          TARGET          STATE        LAG
default.orders  default.orders  streaming  350ms
shop.a          copy.b          creating     0ms

CHANGED AT            FROM  TO       REASON
2026-05-09T07:28:20Z  -     running  created
)" + 1);
}

TEST(OutputTest, ShowOfAnAnswerOfAnotherShapeIsNoCrash) {
  Program program;
  for (const char* body : {"{}", R"({"id": 5, "health": [], "collections": "x", "lag_ms": null})",
                           R"({"selection": {"includes": 1, "name_mapping": [1, {}]},
                               "target": null, "counters": {"bytes": "x"}})"}) {
    program.WillAnswer(200, body);
    EXPECT_EQ(program.Run("task show t1"), 0) << body;
    EXPECT_NE(program.out.str(), "");
  }
}

TEST(OutputTest, JsonIsWhatTheServerAnswered) {
  Program program;
  const json task = TaskNamed("t1", "running");
  for (const char* line :
       {"task show t1", "task pause t1", "task resume t1", "position t1",
        "task rewind t1 --to 1778311800000", "task create --target-uri t:1 --databases a"}) {
    program.WillAnswer(200, task.dump());
    EXPECT_EQ(program.Run(std::string(line) + " --json"), 0) << line;
    EXPECT_EQ(json::parse(program.out.str()), task) << line;
  }
  program.WillAnswer(204, "");
  EXPECT_EQ(program.Run("task delete t1 --yes --json"), 0);
  EXPECT_EQ(json::parse(program.out.str()), json::parse(R"({"id": "t1", "deleted": true})"));
}

TEST(OutputTest, OutcomesAreOneLine) {
  Program program;
  program.WillAnswer(200, TaskNamed("t1", "paused").dump());
  EXPECT_EQ(program.Run("task pause t1"), 0);
  EXPECT_EQ(program.out.str(), "task t1 is paused\n");
  program.WillAnswer(200, Troubled().dump());
  EXPECT_EQ(program.Run("task resume t2"), 0);
  EXPECT_EQ(program.out.str(), "task t2 is warning: target:19530 refuses the connection\n");
  program.WillAnswer(200, TaskNamed("t1", "running").dump());
  EXPECT_EQ(program.Run("task create --target-uri t:1 --databases a"), 0);
  EXPECT_EQ(program.out.str(), "task t1 is running; it was there before and stays as it is\n");
}

TEST(OutputTest, Plan) {
  Program program;
  json plan = TaskNamed("t1", "running");
  plan["id"] = nullptr;
  plan["exists"] = false;
  program.WillAnswer(200, json({{"task", plan}, {"dry_run", true}}).dump());
  EXPECT_EQ(program.Run("task create --target-uri t:1 --databases a --dry-run"), 0);
  EXPECT_EQ(program.out.str(), R"(
id            made by the server
mode          replicate: the target is a standby
target        milvus at http://target:19530
copies        default.orders, shop.*
leaves out    shop.tmp_*
renames       shop.a to copy.b, x.* to y.*

SOURCE          TARGET
default.orders  default.orders
shop.a          copy.b

This was a dry run: nothing was stored or started.
)" + 1);
}

TEST(OutputTest, Positions) {
  Program program;
  program.WillAnswer(200, R"({
    "positions": [{"collection_id": "461", "channel": "by-dev-rootcoord-dml_0",
                   "time_ms": 1778311800000, "ts": "1", "position": "CgA="}],
    "operations": {"channel": "by-dev-replicate-msg", "position": "CgE="}})");
  EXPECT_EQ(program.Run("position t1"), 0);
  EXPECT_EQ(program.out.str(), R"(
COLLECTION  CHANNEL                 TIME                  POSITION
461         by-dev-rootcoord-dml_0  2026-05-09T07:30:00Z  CgA=
operations  by-dev-replicate-msg    -                     CgE=
)" + 1);
  program.WillAnswer(200, R"({"positions": [], "operations": null})");
  EXPECT_EQ(program.Run("position t1"), 0);
  EXPECT_EQ(program.out.str(), "no positions yet\n");
}

TEST(OutputTest, WatchCountsRowsPerSecond) {
  Program program;
  json task = TaskNamed("t1", "running");
  program.WillAnswer(200, task.dump());
  task["counters"]["rows_inserted"] = 1250;
  program.WillAnswer(200, task.dump());
  task["counters"]["rows_inserted"] = 5;  // counted anew, since the server was started again
  program.WillAnswer(200, task.dump());
  program.WillAnswer(404, R"({"detail": "no task t1"})");
  EXPECT_EQ(program.Run("task watch t1"), 1);
  EXPECT_EQ(program.out.str(), R"(
t1  running  lag 350ms  - rows/s  2 collections  safe 2026-05-09T07:29:59Z
t1  running  lag 350ms  250 rows/s  2 collections  safe 2026-05-09T07:29:59Z
t1  running  lag 350ms  - rows/s  2 collections  safe 2026-05-09T07:29:59Z
)" + 1);
  EXPECT_EQ(program.err.str(), "milvus-cdc: no task t1 (HTTP 404)\n");
}

TEST(OutputTest, WatchDrawsOverItsLineOnATerminal) {
  Program program;
  program.terminal = true;
  program.WillAnswer(200, TaskNamed("t1", "failed").dump());
  EXPECT_EQ(program.Run("task watch t1 --until failed"), 0);
  EXPECT_EQ(program.out.str(),
            "\rt1  failed  lag 350ms  - rows/s  2 collections  safe 2026-05-09T07:2…\x1b[K\n");
}

TEST(OutputTest, WatchUntilCaughtUpWaitsForAllOfBeforeItBegan) {
  Program program;
  json task = TaskNamed("t1", "running");
  task["lag_ms"] = 0;  // nothing that was read is waiting, but not all has been read
  program.WillAnswer(200, task.dump());
  task["safe_time_ms"] = nullptr;
  program.WillAnswer(200, task.dump());
  task["safe_time_ms"] = program.clock.ms;
  program.WillAnswer(200, task.dump());
  EXPECT_EQ(program.Run("task watch t1 --until caught-up --json"), 0) << program.err.str();
  EXPECT_EQ(program.requests.size(), 3u);
  std::istringstream lines(program.out.str());
  std::string line;
  int count = 0;
  for (; std::getline(lines, line); ++count) EXPECT_EQ(json::parse(line)["id"], "t1");
  EXPECT_EQ(count, 3);
}

TEST(OutputTest, WatchDoesNotWaitInVain) {
  for (const auto& [goal, state] :
       std::map<std::string, std::string>{{"caught-up", "failed"}, {"paused", "failed"}}) {
    Program program;
    json task = TaskNamed("t1", state);
    task["health"]["reason"] = "the position is gone";
    program.WillAnswer(200, task.dump());
    EXPECT_EQ(program.Run("task watch t1 --until " + goal), 1);
    EXPECT_EQ(program.err.str(),
              "milvus-cdc: waited in vain: task t1 is failed: the position is gone\n");
  }
  Program program;
  program.WillAnswer(200, TaskNamed("t1", "paused").dump());
  EXPECT_EQ(program.Run("task watch t1 --until caught-up"), 1);
}

}  // namespace
}  // namespace cdc
