// Requests to /api/v1: a line "METHOD /path?query", then the body. The tasks behind it are fakes.
#include <nlohmann/json.hpp>
#include <string_view>

#include "fuzz_check.h"
#include "planted.h"
#include "server/fake_tasks_test.h"
#include "server/openapi.h"
#include "server/router.h"
#include "server/v1_api.h"

namespace cdc {

std::string_view OpenapiJson() {
  return "{}";  // the true one is made by the build of the server
}

namespace fuzz {
namespace {

using nlohmann::json;

void CheckAnswer(const HttpResponse& answer) {
  Require(answer.status >= 200 && answer.status < 600, "an answer has a status of its own");
  Require(answer.status != 500, "no request is our own mistake");
  Require((answer.status == 204) == answer.body.empty(), "no body means that there is no content");
  for (const auto& [name, value] : answer.headers) {
    for (const unsigned char c : name + value) {
      Require(c >= 0x20 && c < 0x7f, "a field of the answer is one line of ASCII");
    }
  }
  if (answer.status == 204) return;
  const json body = json::parse(answer.body, nullptr, false);
  Require(body.is_object(), "a body is a JSON object");
  if (answer.status < 400) return;
  Require(answer.content_type == "application/problem+json", "an error is a problem");
  Require(body.value("status", 0) == answer.status, "a problem has the status of the answer");
  Require(body["detail"].is_string() && body["kind"].is_string(), "a problem says what is wrong");
}

// The answer of a server with one task "t"; a status of 0: no such route.
HttpResponse Ask(const HttpRequest& request) {
  FakeTasks tasks;
  TaskSpec spec;
  spec.id = "t";
  Require(tasks.Create(spec).ok(), "a fake makes tasks");
  V1Api api({.limits = {.replicate_channel = "by-dev-replicate-msg"}, .version = "0"}, &tasks);
  Router router;
  api.AddRoutes(&router);
  const Router::Match match = router.Find(request.method, request.path);
  if (match.handler == nullptr) return {0, "", "", {}};
  HttpResponse answer = (*match.handler)(request, match.id);
  CheckAnswer(answer);
  return answer;
}

// An exception ends the process, and is a finding.
void Run(const std::string& bytes) noexcept {
  const size_t line = std::min(bytes.find('\n'), bytes.size());
  const size_t space = std::min(bytes.find(' '), line);
  const std::string target =
      bytes.substr(std::min(space + 1, line), line - std::min(space + 1, line));
  const size_t mark = std::min(target.find('?'), target.size());
  HttpRequest request;
  request.method = bytes.substr(0, space);
  request.path = target.substr(0, mark);
  if (mark < target.size()) request.query = target.substr(mark + 1);
  request.content_type = "application/json";
  if (line < bytes.size()) request.body = bytes.substr(line + 1);
  const HttpResponse answer = Ask(request);
  const std::string planted = PlantInTask(request.body);
  if (answer.status == 0 || planted.empty() || bytes.find(kPlanted) != std::string::npos) return;
  request.body = planted;
  const HttpResponse again = Ask(request);
  Require(again.status == answer.status, "what a secret is decides nothing");
  Require(again.body.find(kPlanted) == std::string::npos, "no answer holds a secret");
}

}  // namespace
}  // namespace fuzz
}  // namespace cdc

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cdc::fuzz::Run(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
