#include "server/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "server/fake_tasks_test.h"

namespace cdc {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class ApiTest : public testing::Test {
 protected:
  HttpResponse Http(const std::string& method, const std::string& path,
                    const std::string& body = "") {
    return api_.Handle({method, path, "", body, "", ""});
  }
  json Cdc(const std::string& type, const json& data = json::object()) {
    const HttpResponse response =
        Http("POST", "/cdc", json{{"request_type", type}, {"request_data", data}}.dump());
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.content_type, "application/json");
    return json::parse(response.body);
  }
  json CreateTask(const std::string& id) {
    return Cdc("create", {{"task_id", id},
                          {"milvus_connect_param",
                           {{"uri", "http://t:1"}, {"username", "u5er"}, {"password", "sesame"}}},
                          {"collection_infos", json::array({{{"name", "*"}}})}});
  }

  FakeTasks tasks_;
  Metrics metrics_;
  Api api_{{}, &tasks_, &metrics_};
};

TEST_F(ApiTest, LifeOfATask) {
  EXPECT_EQ(Cdc("list"), (json{{"code", 200}, {"data", {{"tasks", json::array()}}}}));
  EXPECT_EQ(CreateTask("t"), (json{{"code", 200}, {"data", {{"task_id", "t"}}}}));
  EXPECT_EQ(Cdc("pause", {{"task_id", "t"}}), (json{{"code", 200}}));
  EXPECT_EQ(Cdc("pause", {{"task_id", "t"}}),
            (json{{"code", 400},
                  {"message",
                   "fail to handle the pause request, error: the task has paused, "
                   "task_id: t"}}));
  EXPECT_EQ(Cdc("resume", {{"task_id", "t"}}), (json{{"code", 200}}));
  EXPECT_EQ(Cdc("resume", {{"task_id", "t"}})["message"],
            "fail to handle the resume request, error: the task has running, task_id: t");
  EXPECT_EQ(Cdc("get", {{"task_id", "t"}})["data"]["task"]["state"], "Running");
  EXPECT_EQ(Cdc("delete", {{"task_id", "t"}}), (json{{"code", 200}}));
}

TEST_F(ApiTest, MissingTasks) {
  const struct {
    const char* type;
    const char* message;
  } cases[] = {
      {"pause", "fail to handle the pause request, error: not found the task, task_id: x"},
      {"resume", "fail to handle the resume request, error: not found the task, task_id: x"},
      {"delete", "fail to handle the delete request, error: not found the task, task_id: x"},
      {"get", "fail to handle the get request, error: not found: [x]"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Cdc(c.type, {{"task_id", "x"}}), (json{{"code", 400}, {"message", c.message}}));
  }
  EXPECT_EQ(Cdc("delete", {{"task_id", "x"}, {"ignore_not_found", true}}), (json{{"code", 200}}));
}

TEST_F(ApiTest, CreateGivesAnIdAndKeepsAnExistingOne) {
  const json first = Cdc("create", {{"milvus_connect_param", {{"uri", "http://t:1"}}},
                                    {"collection_infos", json::array({{{"name", "*"}}})}});
  EXPECT_THAT(first["data"]["task_id"].get<std::string>(), testing::MatchesRegex("[0-9a-f]{32}"));
  CreateTask("t");
  EXPECT_EQ(CreateTask("t"), (json{{"code", 200}, {"data", {{"task_id", "t"}}}}));
  EXPECT_EQ(tasks_.tasks.size(), 2u);
}

TEST_F(ApiTest, TaskLimit) {
  tasks_.max_tasks = 3;
  for (const char* id : {"a", "b", "c"}) EXPECT_EQ(CreateTask(id)["code"], 200);
  EXPECT_EQ(CreateTask("d"),
            (json{{"code", 500},
                  {"message",
                   "fail to handle the create request, error: the task num has reach the "
                   "limit, 3"}}));
  EXPECT_EQ(CreateTask("a")["code"], 200);  // exists: nothing is added
}

TEST_F(ApiTest, ErrorsOfTheServiceReachTheUser) {
  tasks_.create_error =
      RetryError("fail to connect the milvus: t:1 refused", ErrorKind::kUnavailable);
  EXPECT_EQ(CreateTask("t"), (json{{"code", 500},
                                   {"message",
                                    "fail to handle the create request, error: fail to connect the "
                                    "milvus: t:1 refused"}}));
  tasks_.create_error = InvalidError("no");
  EXPECT_EQ(CreateTask("t")["code"], 400);
}

TEST_F(ApiTest, OnlyPost) {
  for (const char* method : {"GET", "PUT", "DELETE"}) {
    const HttpResponse response = Http(method, "/cdc");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(json::parse(response.body),
              (json{{"code", 405}, {"message", "only support the POST method"}}));
  }
}

// For clients that ask for it: the body is what it always was.
TEST_F(ApiTest, HttpStatusOnDemand) {
  Api api({.v1 = {}, .http_status = true}, &tasks_, &metrics_);
  const auto status = [&](const std::string& body) {
    const HttpRequest request{"POST", "/cdc", "", body, "", ""};
    const HttpResponse response = api.Handle(request);
    EXPECT_EQ(response.body, api_.Handle(request).body);
    return response.status;
  };
  const auto of = [&](const char* type, const json& data) {
    return status(json{{"request_type", type}, {"request_data", data}}.dump());
  };
  EXPECT_EQ(status("{"), 400);
  EXPECT_EQ(status(R"({"request_type":"fly"})"), 400);
  EXPECT_EQ(of("list", json::object()), 200);
  EXPECT_EQ(of("get", {{"task_id", 5}}), 400);
  EXPECT_EQ(of("get", {{"task_id", "x"}}), 404);
  CreateTask("t");
  EXPECT_EQ(of("resume", {{"task_id", "t"}}), 409);
  tasks_.change_error = RetryError("away", ErrorKind::kUnavailable);
  EXPECT_EQ(of("pause", {{"task_id", "t"}}), 502);
  EXPECT_EQ(api.Handle({"GET", "/cdc", "", "", "", ""}).status, 405);
}

TEST_F(ApiTest, OtherPaths) {
  EXPECT_EQ(Http("GET", "/").status, 404);
  EXPECT_EQ(Http("POST", "/cdc/").status, 404);
  EXPECT_EQ(Http("POST", "/metrics").status, 405);
  EXPECT_EQ(json::parse(Http("GET", "/x").body)["code"], 404);
}

TEST_F(ApiTest, TaskShowsEverythingButSecrets) {
  CreateTask("t");
  TaskStatus& task = tasks_.tasks[0];
  task.reason = "because";
  task.health = Health::kWarning;
  task.health_reason = "the target is away";
  task.safe_ts = 0xfedcba9876543210ull;
  task.target_ts = 18446744073709551615ull;
  task.lag_ms = 1234;
  task.counters.rows_inserted = 5;
  task.counters.rows_replayed = 3;
  task.counters.rows_deleted = 6;
  task.collections = {{"default", "a", 449000000000000001, "d", "b", "streaming"}};
  const json answer = Cdc("get", {{"task_id", "t"}});
  const json& shown = answer["data"]["task"];
  EXPECT_EQ(shown["task_id"], "t");
  EXPECT_EQ(shown["state"], "Running");
  EXPECT_EQ(shown["reason"], "because");
  EXPECT_EQ(shown["milvus_connect_param"]["uri"], "http://t:1");
  EXPECT_EQ(shown["kafka_connect_param"]["address"], "");
  EXPECT_EQ(shown["collection_infos"][0]["name"], "*");
  EXPECT_EQ(shown["mode"], "replicate");
  EXPECT_EQ(shown["mode_reason"], "the target is a standby");
  EXPECT_EQ(shown["health"], "warning");
  EXPECT_EQ(shown["health_reason"], "the target is away");
  EXPECT_EQ(shown["progress"], (json{{"safe_ts", "18364758544493064720"},
                                     {"safe_time_ms", 18364758544493064720ull >> 18},
                                     {"target_ts", "18446744073709551615"},
                                     {"lag_ms", 1234},
                                     {"rows_inserted", 5},
                                     {"rows_deleted", 6},
                                     {"rows_replayed", 3},
                                     {"collections",
                                      {{{"source_db", "default"},
                                        {"source_collection", "a"},
                                        {"source_id", "449000000000000001"},
                                        {"target_db", "d"},
                                        {"target_collection", "b"},
                                        {"state", "streaming"}}}}}));
  EXPECT_EQ(Cdc("list")["data"]["tasks"][0], shown);
  EXPECT_THAT(answer.dump(), Not(HasSubstr("sesame")));
  EXPECT_THAT(answer.dump(), Not(HasSubstr("u5er")));
  task.reason.clear();
  EXPECT_FALSE(Cdc("get", {{"task_id", "t"}})["data"]["task"].contains("reason"));
}

TEST_F(ApiTest, Maintenance) {
  const auto state = [&](const json& data) { return Cdc("maintenance", data)["data"]["State"]; };
  EXPECT_EQ(state({{"operation", "set_log_level"}, {"params", {{"log_level", "error"}}}}),
            "set log level to error");
  EXPECT_FALSE(LogEnabled(LogLevel::kWarn));
  SetLogLevel(LogLevel::kWarn);
  EXPECT_EQ(state({{"operation", "set_log_level"}}), "log_level is required");
  EXPECT_THAT(
      state({{"operation", "set_log_level"}, {"params", {{"log_level", "x"}}}}).get<std::string>(),
      HasSubstr("parse log level failed: "));
  EXPECT_EQ(state({{"operation", "fly"}, {"params", {{"high", true}}}}),
            "unsupported operation: fly");
}

// The answer's shape is that of the existing Milvus-CDC.
TEST_F(ApiTest, Position) {
  EXPECT_EQ(
      Cdc("position", {{"task_id", ""}})["data"],
      (json{{"positions", nullptr}, {"op_positions", nullptr}, {"target_positions", nullptr}}));
  ASSERT_EQ(CreateTask("t")["code"], 200);
  const LogPosition after{LogPosition::Kind::kAfter, {0, 0x0102}};
  tasks_.progress.channels["ch"] = {"ch", after, ComposeTimestamp(5), 0};
  ObjectRecord object;
  object.pchannels = {"ch"};
  tasks_.progress.objects[7] = object;
  const json found = Cdc("position", {{"task_id", "t"}})["data"]["positions"];
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0], (json{{"collection_id", 7},
                            {"channel_name", "ch"},
                            {"time", 5},
                            {"tt", ComposeTimestamp(6)},
                            {"msg_id", "CgJjaBIIAgEAAAAAAAAggIBQ"}}));
  EXPECT_EQ(tasks_.rewound_to, 0);
}

TEST_F(ApiTest, Rewind) {
  EXPECT_THAT(Cdc("position", {{"task_id", "t"}, {"rewind_to_ms", 1700000000000}})["message"],
              HasSubstr("not found the task"));
  ASSERT_EQ(CreateTask("t")["code"], 200);
  EXPECT_EQ(Cdc("position", {{"task_id", "t"}, {"rewind_to_ms", 1700000000000}})["code"], 200);
  EXPECT_EQ(tasks_.rewound_to, 1700000000000);
}

TEST_F(ApiTest, ResumeMayAcceptTheSource) {
  ASSERT_EQ(CreateTask("t")["code"], 200);
  Cdc("pause", {{"task_id", "t"}});
  Cdc("resume", {{"task_id", "t"}, {"accept_source", true}});
  EXPECT_TRUE(tasks_.accepted_source);
}

TEST_F(ApiTest, Health) {
  CreateTask("t");
  const HttpResponse good = Http("GET", "/healthz");
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(json::parse(good.body),
            (json{{"status", "ok"},
                  {"tasks",
                   {{"total", 1}, {"running", 1}, {"paused", 0}, {"warning", 0}, {"failed", 0}}}}));
  tasks_.list_error = FatalError("the store is gone");
  EXPECT_EQ(Http("GET", "/healthz").status, 503);
  EXPECT_EQ(Http("GET", "/metrics").status, 503);
}

TEST_F(ApiTest, MetricsLiveAsLongAsTheirTask) {
  CreateTask("t");
  TaskStatus& task = tasks_.tasks[0];
  task.safe_ts = ComposeTimestamp(1700000000500);
  task.lag_ms = 250;
  task.health = Health::kFailed;
  task.counters = {10, 2, 5, 4096, 1, 3, {{"ReplicateMessage", 7}}};
  Http("GET", "/cdc");
  Cdc("get", {{"task_id", "nobody"}});
  api_.Handle({"GET", "/api/v1/tasks/nobody", "", "", "", ""});
  const HttpResponse response = Http("GET", "/metrics");
  EXPECT_THAT(response.content_type, HasSubstr("version=0.0.4"));
  for (const char* line : {
           "milvus_cdc_task_num{task_state=\"Running\"} 1\n",
           "milvus_cdc_task_num{task_state=\"Paused\"} 0\n",
           "milvus_cdc_task_state{task_id=\"t\"} 1\n",
           "milvus_cdc_task_health{task_id=\"t\"} 2\n",
           "milvus_cdc_task_lag_seconds{task_id=\"t\"} 0.25\n",
           "milvus_cdc_task_safe_time_seconds{task_id=\"t\"} 1700000000.5\n",
           "milvus_cdc_replicate_data_cnt{api_type=\"insert\",op_type=\"write\",task_id=\"t\"} "
           "10\n",
           "milvus_cdc_replicate_data_cnt{api_type=\"delete\",op_type=\"write\",task_id=\"t\"} 2\n",
           "milvus_cdc_replicate_data_size{op_type=\"write\",task_id=\"t\"} 4096\n",
           "milvus_cdc_api_execute_total{api_type=\"ReplicateMessage\",task_id=\"t\"} 7\n",
           "milvus_cdc_duplicate_keys_total{task_id=\"t\"} 1\n",
           "milvus_cdc_task_retries_total{task_id=\"t\"} 3\n",
           "milvus_cdc_request_total{request_status=\"success\",request_type=\"create\"} 1\n",
           "milvus_cdc_request_total{request_status=\"total\",request_type=\"create\"} 1\n",
           "milvus_cdc_request_total{request_status=\"fail\",request_type=\"get\"} 1\n",
           "milvus_cdc_request_total{request_status=\"invalid_method\",request_type=\"unknown\"} "
           "1\n",
           "milvus_cdc_request_latency_count{request_type=\"create\"} 1\n",
           "milvus_cdc_http_requests_total{method=\"GET\",route=\"/api/v1/tasks/"
           "{id}\",status=\"404\"} "
           "1\n",
           "milvus_cdc_http_request_seconds_count{method=\"POST\",route=\"/cdc\"} 2\n",
       }) {
    EXPECT_THAT(response.body, HasSubstr(line));
  }
  EXPECT_EQ(Http("GET", "/cdc/metrics").body, response.body);
  Cdc("delete", {{"task_id", "t"}});
  EXPECT_THAT(Http("GET", "/metrics").body, Not(HasSubstr("task_id=\"t\"")));
}

TEST_F(ApiTest, UnknownTypesMakeNoSeries) {
  for (const char* type : {"zzz1", "zzz2", "zzz3"}) Cdc(type);
  EXPECT_THAT(Http("GET", "/metrics").body, Not(HasSubstr("zzz")));
}

}  // namespace
}  // namespace cdc
