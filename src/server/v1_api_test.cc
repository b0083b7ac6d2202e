#include "server/v1_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "server/api.h"
#include "server/fake_tasks_test.h"
#include "server/metrics.h"
#include "server/openapi.h"
#include "server/openapi_check_test.h"

namespace cdc {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

// Every answer is held against openapi.json.
class V1ApiTest : public testing::Test {
 protected:
  HttpResponse Http(const HttpRequest& request) {
    HttpResponse response = api_.Handle(request);
    EXPECT_EQ(CheckDeclared(request, response), "") << response.body;
    return response;
  }
  HttpResponse Get(const std::string& path, const std::string& query = "") {
    return Http({"GET", "/api/v1" + path, query, "", "", ""});
  }
  HttpResponse Post(const std::string& path, const json& body, const std::string& query = "") {
    return Http({"POST", "/api/v1" + path, query, body.dump(), "", "application/json"});
  }
  HttpResponse Post(const std::string& path) {
    return Http({"POST", "/api/v1" + path, "", "", "", ""});
  }
  HttpResponse Create(const std::string& id) { return Post("/tasks", Request(id)); }
  static json Request(const std::string& id) {
    return {{"task_id", id},
            {"milvus_connect_param",
             {{"uri", "http://t:1"}, {"username", "u5er"}, {"password", "sesame"}}},
            {"collection_infos", json::array({{{"name", "*"}}})}};
  }
  // "400 invalid: what is wrong"
  static std::string ProblemIn(const HttpResponse& response) {
    if (response.content_type != "application/problem+json") return response.body;
    const json body = json::parse(response.body);
    EXPECT_EQ(body["status"], response.status);
    return std::to_string(response.status) + " " + body["kind"].get<std::string>() + ": " +
           body["detail"].get<std::string>();
  }
  std::vector<std::string> Ids(const std::string& query, json* next = nullptr) {
    const json page = json::parse(Get("/tasks", query).body);
    std::vector<std::string> ids;
    for (const json& task : page["tasks"]) ids.push_back(task["id"]);
    if (next != nullptr) *next = page["next"];
    return ids;
  }

  FakeTasks tasks_;
  Metrics metrics_;
  Api api_{{.v1 = {.limits = {.max_name_length = 20, .replicate_channel = "src-replicate-msg"},
                   .max_task_num = 7,
                   .log = LogKind::kKafka,
                   .version = "1.2.3"}},
           &tasks_,
           &metrics_};
};

TEST_F(V1ApiTest, LifeOfATask) {
  EXPECT_EQ(Get("/tasks").body, R"({"next":null,"tasks":[]})");
  const HttpResponse created = Create("t&1");
  EXPECT_EQ(created.status, 201);
  EXPECT_THAT(created.headers,
              ElementsAre(std::pair<std::string, std::string>("Location", "/api/v1/tasks/t%261")));
  EXPECT_EQ(json::parse(created.body)["state"], "running");
  EXPECT_EQ(Create("t&1").status, 200);
  EXPECT_EQ(json::parse(Get("/tasks/t%261").body)["id"], "t&1");
  EXPECT_EQ(json::parse(Post("/tasks/t%261/pause").body)["state"], "paused");
  EXPECT_EQ(ProblemIn(Post("/tasks/t%261/pause")),
            "409 conflict: the task has paused, task_id: t&1");
  EXPECT_EQ(Post("/tasks/t%261/rewind", {{"to_ms", 1700000000000}}).status, 200);
  EXPECT_EQ(tasks_.rewound_to, 1700000000000);
  EXPECT_EQ(json::parse(Post("/tasks/t%261/resume", {{"accept_source", true}}).body)["state"],
            "running");
  EXPECT_TRUE(tasks_.accepted_source);
  EXPECT_EQ(ProblemIn(Post("/tasks/t%261/resume")),
            "409 conflict: the task has running, task_id: t&1");
  const HttpResponse gone = Http({"DELETE", "/api/v1/tasks/t%261", "", "", "", ""});
  EXPECT_EQ(gone.status, 204);
  EXPECT_EQ(gone.body, "");
  EXPECT_TRUE(tasks_.tasks.empty());
}

TEST_F(V1ApiTest, MissingTasks) {
  const std::string missing = "404 not_found: not found the task, task_id: x";
  EXPECT_EQ(ProblemIn(Get("/tasks/x")), missing);
  EXPECT_EQ(ProblemIn(Get("/tasks/x/positions")), missing);
  EXPECT_EQ(ProblemIn(Post("/tasks/x/pause")), missing);
  EXPECT_EQ(ProblemIn(Post("/tasks/x/resume")), missing);
  EXPECT_EQ(ProblemIn(Post("/tasks/x/rewind", {{"to_ms", 1}})), missing);
  EXPECT_EQ(ProblemIn(Http({"DELETE", "/api/v1/tasks/x", "", "", "", ""})), missing);
}

TEST_F(V1ApiTest, TaskShowsEverythingButSecrets) {
  Create("t");
  TaskStatus& task = tasks_.tasks[0];
  task.reason = "because";
  task.health = Health::kWarning;
  task.health_reason = "the target is away";
  task.health_since_ms = 1700000000100;
  task.health_retries = 4;
  task.health_next_attempt_ms = 1700000009000;
  task.safe_ts = ComposeTimestamp(1700000000500);
  task.target_ts = 18446744073709551615ull;
  task.lag_ms = 1234;
  task.log_headroom_seconds = 60;
  task.log_headroom_bytes = 4096;
  task.counters = {5, 6, 3, 100, 1, 2, {{"write", 7}}};
  task.collection_count = 1;
  task.collections = {{"default", "a", 449000000000000001, "d", "b", "streaming",
                       ComposeTimestamp(1700000000400), 1100}};
  task.selection.excludes = {{"d", "tmp_*"}};
  task.selection.mappings = {{"default", "d", {{"a", "b"}}}};
  const HttpResponse response = Get("/tasks/t");
  const json want = {
      {"id", "t"},
      {"state", "warning"},
      {"reason", "because"},
      {"since_ms", 1700000000000},
      {"health",
       {{"status", "warning"},
        {"reason", "the target is away"},
        {"since_ms", 1700000000100},
        {"retries", 4},
        {"next_attempt_ms", 1700000009000}}},
      {"mode", "replicate"},
      {"mode_reason", "the target is a standby"},
      {"target", {{"kind", "milvus"}, {"uri", "http://t:1"}}},
      {"selection",
       {{"includes", {"default.*"}},
        {"excludes", {"d.tmp_*"}},
        {"name_mapping",
         {{{"source_db", "default"}, {"target_db", "d"}, {"collection_mapping", {{"a", "b"}}}}}}}},
      {"lag_ms", 1234},
      {"safe_time_ms", 1700000000500},
      {"safe_ts", std::to_string(ComposeTimestamp(1700000000500))},
      {"target_ts", "18446744073709551615"},
      {"log_headroom", {{"seconds", 60}, {"bytes", 4096}}},
      {"counters",
       {{"rows_inserted", 5},
        {"rows_deleted", 6},
        {"rows_replayed", 3},
        {"bytes", 100},
        {"duplicate_keys", 1},
        {"retries", 2},
        {"calls", {{"write", 7}}}}},
      {"collection_count", 1},
      {"collections",
       {{{"source_db", "default"},
         {"source_collection", "a"},
         {"source_id", "449000000000000001"},
         {"target_db", "d"},
         {"target_collection", "b"},
         {"state", "streaming"},
         {"lag_ms", 1100},
         {"safe_time_ms", 1700000000400}}}},
      {"transitions",
       {{{"at_ms", 1700000000000}, {"from", nullptr}, {"to", "running"}, {"reason", "created"}}}},
  };
  EXPECT_EQ(json::parse(response.body), want);
  json summary = want;
  summary.erase("collections");
  summary.erase("transitions");
  EXPECT_EQ(json::parse(Get("/tasks").body)["tasks"][0], summary);
  for (const char* secret : {"sesame", "u5er"}) EXPECT_THAT(response.body, Not(HasSubstr(secret)));
}

TEST_F(V1ApiTest, WhatIsNotKnownIsNull) {
  Create("t");
  tasks_.tasks[0].since_ms.reset();
  tasks_.tasks[0].mode = TargetMode::kBlackhole;
  tasks_.tasks[0].transitions = {{5, RunState::kPaused, RunState::kFailed, ""}};
  const json task = json::parse(Get("/tasks/t").body);
  for (const char* key : {"since_ms", "safe_time_ms", "log_headroom"}) {
    EXPECT_EQ(task[key], nullptr) << key;
  }
  EXPECT_EQ(task["health"]["since_ms"], nullptr);
  EXPECT_EQ(task["target"], (json{{"kind", "blackhole"}, {"uri", nullptr}}));
  EXPECT_EQ(task["transitions"][0]["from"], "paused");
}

TEST_F(V1ApiTest, Pages) {
  for (const char* id : {"a", "b", "c", "d", "e"}) Create(id);
  json next;
  EXPECT_THAT(Ids("limit=2", &next), ElementsAre("a", "b"));
  EXPECT_EQ(next, "b");
  EXPECT_THAT(Ids("limit=2&after=b", &next), ElementsAre("c", "d"));
  EXPECT_EQ(next, "d");
  EXPECT_THAT(Ids("limit=2&after=d", &next), ElementsAre("e"));
  EXPECT_EQ(next, nullptr);
  EXPECT_THAT(Ids("after=e", &next), ElementsAre());
  EXPECT_THAT(Ids("limit=5", &next), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_EQ(next, nullptr);
  EXPECT_THAT(ProblemIn(Get("/tasks", "after=zzz")), StartsWith("404 not_found: "));
}

TEST_F(V1ApiTest, ListsByState) {
  for (const char* id : {"run", "warn", "pause", "fail", "run2"}) Create(id);
  tasks_.Find("warn")->health = Health::kWarning;
  tasks_.Find("pause")->state = TaskState::kPaused;
  tasks_.Find("fail")->state = TaskState::kPaused;
  tasks_.Find("fail")->health = Health::kFailed;
  EXPECT_THAT(Ids("state=running"), ElementsAre("run", "warn", "run2"));
  EXPECT_THAT(Ids("state=warning"), ElementsAre("warn"));
  EXPECT_THAT(Ids("state=paused"), ElementsAre("pause"));
  EXPECT_THAT(Ids("state=failed"), ElementsAre("fail"));
  json next;
  EXPECT_THAT(Ids("state=running&limit=2", &next), ElementsAre("run", "warn"));
  EXPECT_EQ(next, "warn");
  EXPECT_THAT(Ids("state=running&limit=2&after=warn", &next), ElementsAre("run2"));
}

TEST_F(V1ApiTest, DryRunStoresNothing) {
  const json answer = json::parse(Post("/tasks", Request(""), "dry_run=true").body);
  EXPECT_EQ(answer["dry_run"], true);
  EXPECT_EQ(answer["task"]["id"], nullptr);
  EXPECT_EQ(answer["task"]["exists"], false);
  EXPECT_EQ(answer["task"]["mode"], "api");
  EXPECT_EQ(answer["task"]["target"]["uri"], "http://t:1");
  EXPECT_EQ(answer["task"]["collections"][0]["source_collection"], "a");
  EXPECT_TRUE(tasks_.tasks.empty());
  Create("t");
  EXPECT_EQ(json::parse(Post("/tasks", Request("t"), "dry_run=true").body)["task"]["exists"], true);
  EXPECT_EQ(Post("/tasks", Request("t"), "dry_run=false").status, 200);
  const HttpResponse made = Post("/tasks", Request(""), "dry_run=false");
  EXPECT_THAT(json::parse(made.body)["id"].get<std::string>(), MatchesRegex("[0-9a-f]{32}"));
  // A misspelt one would create.
  EXPECT_EQ(ProblemIn(Post("/tasks", Request("u"), "dryrun=true")),
            "400 invalid: unknown query parameter 'dryrun'; did you mean 'dry_run'?");
  EXPECT_EQ(ProblemIn(Post("/tasks", Request("u"), "dry_run=yes")),
            "400 invalid: 'dry_run' must be one of: true, false");
  EXPECT_EQ(tasks_.Find("u"), nullptr);
}

TEST_F(V1ApiTest, WhatIsWrongWithARequest) {
  Create("t");
  const std::string json_type = "application/json";
  const struct {
    const char* method;
    const char* path;
    const char* query;
    std::string body;
    std::string type;
    const char* problem;
  } cases[] = {
      {"GET", "/tasks", "limit=0", "", "", "400 invalid: 'limit' must be a whole number from 1 to"},
      {"GET", "/tasks", "limit=1001", "", "", "400 invalid: 'limit' must be a whole number"},
      {"GET", "/tasks", "limit=1x", "", "", "400 invalid: 'limit' must be a whole number"},
      {"GET", "/tasks", "limit=", "", "", "400 invalid: 'limit' must be a whole number"},
      {"GET", "/tasks", "limit=1&limit=2", "", "", "400 invalid: the query parameter 'limit' is"},
      {"GET", "/tasks", "state=running+", "", "", "400 invalid: 'state' must be one of: running"},
      {"GET", "/tasks/t", "x=1", "", "", "400 invalid: unknown query parameter 'x'; none is known"},
      {"DELETE", "/tasks/t", "force=true", "", "", "400 invalid: unknown query parameter 'force'"},
      {"POST", "/tasks", "", "", json_type, "400 invalid: the body is missing"},
      {"POST", "/tasks", "", "{", json_type, "400 invalid: the body is not valid JSON at byte"},
      {"POST", "/tasks", "", "[]", json_type, "400 invalid: the body must be a JSON object"},
      {"POST", "/tasks", "", "{}", json_type, "400 invalid: the downstream address is empty"},
      {"POST", "/tasks", "", "{}", "", "415 unsupported_media_type: send the body with"},
      {"POST", "/tasks", "", "{}", "text/plain", "415 unsupported_media_type: send the body"},
      {"POST", "/tasks", "", "{\"colection_infos\":[]}", json_type,
       "400 invalid: unknown key 'colection_infos'; did you mean 'collection_infos'?"},
      {"POST", "/tasks", "", "{\"adopt\":1}", json_type,
       "400 invalid: 'adopt' must be true or false"},
      {"POST", "/tasks/t/pause", "", "{\"now\":true}", json_type, "400 invalid: unknown key 'now'"},
      {"POST", "/tasks/t/pause", "", "{}", "text/plain", "415 unsupported_media_type: "},
      {"POST", "/tasks/t/resume", "", "{\"accept_source\":1}", json_type,
       "400 invalid: 'accept_source' must be true or false"},
      {"POST", "/tasks/t/rewind", "", "", json_type, "400 invalid: the body is missing"},
      {"POST", "/tasks/t/rewind", "", "{}", json_type, "400 invalid: 'to_ms' must be given"},
      {"POST", "/tasks/t/rewind", "", "{\"to_ms\":0}", json_type, "400 invalid: 'to_ms' must be"},
      {"POST", "/tasks/t/rewind", "", "{\"to_ms\":1.5}", json_type,
       "400 invalid: 'to_ms' must be a whole number"},
      {"PUT", "/server/log-level", "", "{\"level\":\"loud\"}", json_type,
       "400 invalid: 'level' must be one of: debug, info, warn, error"},
      {"PUT", "/server/log-level", "", "", "", "400 invalid: the body is missing"},
      {"GET", "/task", "", "", "", "404 not_found: no such path"},
      {"GET", "/tasks/", "", "", "", "404 not_found: no such path"},
      {"PUT", "/tasks", "", "", "", "405 method_not_allowed: this path supports GET, HEAD, POST"},
      {"GET", "/tasks/t/pause", "", "", "", "405 method_not_allowed: this path supports POST only"},
      {"BREW", "/server", "", "", "", "405 method_not_allowed: this path supports GET, HEAD only"},
  };
  for (const auto& c : cases) {
    const HttpRequest request{c.method, std::string("/api/v1") + c.path, c.query, c.body, "",
                              c.type};
    EXPECT_THAT(ProblemIn(Http(request)), StartsWith(c.problem)) << c.method << " " << c.path;
  }
  EXPECT_EQ(tasks_.tasks.size(), 1u);
  EXPECT_EQ(tasks_.tasks[0].state, TaskState::kRunning);
}

TEST_F(V1ApiTest, TheTypeOfABodyMayHaveParameters) {
  for (const char* type : {"application/json; charset=utf-8", "Application/JSON ;x=y"}) {
    const HttpRequest request{"POST", "/api/v1/tasks", "", Request("").dump(), "", type};
    EXPECT_EQ(Http(request).status, 201) << type;
  }
}

TEST_F(V1ApiTest, ErrorsOfTheService) {
  const struct {
    Error error;
    const char* created;  // of POST /tasks
    const char* changed;  // of a task that is there
  } cases[] = {
      {InvalidError("no"), "400 invalid: no", "400 invalid: no"},
      {FatalError("no", ErrorKind::kConflict), "409 conflict: no", "409 conflict: no"},
      {FatalError("no", ErrorKind::kAlreadyExists), "409 conflict: no", "409 conflict: no"},
      {FatalError("no", ErrorKind::kLimit), "409 limit: no", "409 limit: no"},
      {FatalError("no", ErrorKind::kPositionGone), "409 position_gone: no",
       "409 position_gone: no"},
      {FatalError("no", ErrorKind::kSourceReplaced), "409 source_replaced: no",
       "409 source_replaced: no"},
      {FatalError("no", ErrorKind::kNotStandby), "422 target_refuses: no",
       "422 target_refuses: no"},
      {FatalError("no", ErrorKind::kStandby), "422 target_refuses: no", "422 target_refuses: no"},
      {FatalError("no", ErrorKind::kUnsupported), "422 target_refuses: no",
       "422 target_refuses: no"},
      {RetryError("no", ErrorKind::kUnavailable), "502 peer_away: no", "502 peer_away: no"},
      {RetryError("no", ErrorKind::kUnknownOutcome), "502 peer_away: no", "502 peer_away: no"},
      {FatalError("no", ErrorKind::kNotFound), "502 peer_away: no", "404 not_found: no"},
      {RetryError("no"), "503 unavailable: no", "503 unavailable: no"},
      {RetryError("no", ErrorKind::kCompacted), "503 unavailable: no", "503 unavailable: no"},
      {FatalError("no"), "500 internal: no", "500 internal: no"},
      {CorruptError("no"), "500 internal: no", "500 internal: no"},
  };
  Create("t");
  for (const auto& c : cases) {
    tasks_.create_error = c.error;
    tasks_.change_error = c.error;
    EXPECT_EQ(ProblemIn(Create("u")), c.created);
    EXPECT_EQ(ProblemIn(Post("/tasks", Request("u"), "dry_run=true")), c.created);
    EXPECT_EQ(ProblemIn(Post("/tasks/t/resume")), c.changed);
  }
  tasks_.list_error = RetryError("the store is busy");
  EXPECT_EQ(ProblemIn(Get("/tasks")), "503 unavailable: the store is busy");
}

TEST_F(V1ApiTest, Positions) {
  Create("t");
  EXPECT_EQ(Get("/tasks/t/positions").body, R"({"operations":null,"positions":[]})");
  const LogPosition after{LogPosition::Kind::kAfter, {0, 0x0102}};
  tasks_.progress.channels["ch"] = {"ch", after, ComposeTimestamp(5), 0};
  ObjectRecord object;
  object.pchannels = {"ch", "never read"};
  tasks_.progress.objects[7] = object;
  tasks_.progress.operations = LogPosition{};
  EXPECT_EQ(
      json::parse(Get("/tasks/t/positions").body),
      (json{{"positions",
             {{{"collection_id", "7"},
               {"channel", "ch"},
               {"time_ms", 5},
               {"ts", std::to_string(ComposeTimestamp(5))},
               {"position", "CgJjaBIIAgEAAAAAAAAggIBQ"}}}},
            {"operations",
             {{"channel", "src-replicate-msg"}, {"position", "ChFzcmMtcmVwbGljYXRlLW1zZw=="}}}}));
}

TEST_F(V1ApiTest, Preflight) {
  tasks_.findings = {{"source.etcd", Severity::kOk, "etcd answers", ""},
                     {"source.ticking", Severity::kWarning, "ch stands still", "look"}};
  const json ok = {
      {"check", "source.etcd"}, {"severity", "ok"}, {"what", "etcd answers"}, {"what_to_do", ""}};
  json answer = json::parse(Post("/preflight").body);
  EXPECT_EQ(answer["ok"], true);
  EXPECT_EQ(answer["findings"][0], ok);
  EXPECT_EQ(answer["findings"][1]["severity"], "warning");
  EXPECT_EQ(answer["findings"].size(), 2u);
  tasks_.findings[1].severity = Severity::kError;
  answer = json::parse(Post("/preflight", Request("t")).body);
  EXPECT_EQ(answer["ok"], false);
  EXPECT_EQ(answer["findings"].size(), 3u);
  EXPECT_TRUE(tasks_.tasks.empty());
  EXPECT_EQ(ProblemIn(Post("/preflight", json::object())),
            "400 invalid: the downstream address is empty");
}

TEST_F(V1ApiTest, ServerAndLogLevel) {
  SetLogLevel(LogLevel::kWarn);
  EXPECT_EQ(json::parse(Get("/server").body),
            (json{{"version", "1.2.3"},
                  {"source", {{"log", "kafka"}, {"operation_channel", "src-replicate-msg"}}},
                  {"limits", {{"max_tasks", 7}, {"max_name_length", 20}, {"max_page", 1000}}},
                  {"log_level", "warn"}}));
  const auto set = [&](const char* level) {
    return Http({"PUT", "/api/v1/server/log-level", "", json{{"level", level}}.dump(), "",
                 "application/json"})
        .body;
  };
  EXPECT_EQ(set("error"), R"({"level":"error"})");
  EXPECT_FALSE(LogEnabled(LogLevel::kWarn));
  EXPECT_EQ(json::parse(Get("/server").body)["log_level"], "error");
  EXPECT_EQ(set("warn"), R"({"level":"warn"})");
}

TEST_F(V1ApiTest, HeadIsAnsweredLikeGet) {
  EXPECT_EQ(Http({"HEAD", "/api/v1/tasks", "", "", "", ""}).status, 200);
  EXPECT_EQ(Http({"HEAD", "/api/v1/tasks/x", "", "", "", ""}).status, 404);
}

TEST_F(V1ApiTest, ServesItsDescription) {
  const HttpResponse response = Get("/openapi.json");
  EXPECT_EQ(response.body, OpenapiJson());
  EXPECT_EQ(json::parse(response.body)["openapi"], "3.1.0");
}

// What is described is there: no path and no method of the description is answered 404 or 405.
TEST_F(V1ApiTest, WhatIsDescribedIsThere) {
  const json document = json::parse(OpenapiJson());
  Create("x");
  for (const auto& [path, item] : document["paths"].items()) {
    for (const auto& [method, operation] : item.items()) {
      if (method == "parameters") continue;
      std::string verb = method;
      for (char& c : verb) c = static_cast<char>(std::toupper(c));
      std::string at = path;
      if (const size_t id = at.find("{id}"); id != std::string::npos) at.replace(id, 4, "x");
      const HttpResponse response = Http({verb, at, "", "", "", ""});
      EXPECT_THAT(ProblemIn(response), Not(HasSubstr("no such path"))) << verb << " " << at;
      EXPECT_NE(response.status, 405) << verb << " " << at;
      if (tasks_.tasks.empty()) Create("x");
    }
  }
}

}  // namespace
}  // namespace cdc
