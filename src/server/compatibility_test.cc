// POST /cdc answers as the existing Milvus-CDC does: whole sessions from a golden file, which the
// tests on real servers may replay as well. A session that needs no target says the same there.
//
// A step holds a request (text: a body that is none) and either the whole answer, or members of the
// task that is answered, of which the answer may hold more.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "server/api.h"
#include "server/fake_tasks_test.h"
#include "server/metrics.h"

namespace cdc {
namespace {

using nlohmann::json;

json Sessions() {
  const auto path =
      std::filesystem::path(__FILE__).parent_path() / "../../tests/golden/cdc_api/sessions.json";
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return json::parse(file);
}

TEST(CompatibilityTest, EveryRequestOfTheExistingOneIsAnsweredAsItIsThere) {
  int steps = 0;
  for (const json& session : Sessions()) {
    FakeTasks tasks;
    Metrics metrics;
    Api api(
        {.v1 = {.limits = {.max_name_length = 256, .replicate_channel = "by-dev-replicate-msg"}}},
        &tasks, &metrics);
    for (const json& step : session["steps"]) {
      const json& request = step["request"];
      const std::string body = request.is_string() ? request.get<std::string>() : request.dump();
      const HttpResponse response = api.Handle({"POST", "/cdc", "", body, "", ""});
      EXPECT_EQ(response.status, 200);
      EXPECT_EQ(response.content_type, "application/json");
      json answer = json::parse(response.body);
      ++steps;
      if (step.contains("answer")) {
        EXPECT_EQ(answer, step["answer"]) << session["what"] << ": " << body;
        continue;
      }
      ASSERT_EQ(answer["code"], 200) << session["what"] << ": " << body << answer;
      for (const auto& [key, value] : step["task"].items()) {
        EXPECT_EQ(answer["data"]["task"][key], value) << session["what"] << ": " << key;
      }
      EXPECT_EQ(response.body.find("Milvus\""), std::string::npos) << "a secret";
    }
  }
  EXPECT_GT(steps, 100);
  SetLogLevel(LogLevel::kWarn);
}

TEST(CompatibilityTest, OtherMethodsAreRefusedInTheBody) {
  FakeTasks tasks;
  Metrics metrics;
  Api api({}, &tasks, &metrics);
  for (const char* method : {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    const HttpResponse response = api.Handle({method, "/cdc", "", "", "", ""});
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, R"({"code":405,"message":"only support the POST method"})");
  }
}

// The envelope's members stand in an order that did not change either.
TEST(CompatibilityTest, BytesOfAnswers) {
  FakeTasks tasks;
  Metrics metrics;
  Api api({}, &tasks, &metrics);
  const auto cdc = [&](const std::string& body) {
    return api.Handle({"POST", "/cdc", "", body, "", ""}).body;
  };
  EXPECT_EQ(cdc(R"({"request_type":"list"})"), R"({"code":200,"data":{"tasks":[]}})");
  EXPECT_EQ(cdc(R"({"request_type":"delete","request_data":{"ignore_not_found":true}})"),
            R"({"code":200})");
  EXPECT_EQ(cdc(R"({"request_type":"get","request_data":{"task_id":"x"}})"),
            R"({"code":400,"message":"fail to handle the get request, error: not found: [x]"})");
}

}  // namespace
}  // namespace cdc
