#include "server/openapi_check_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "base/format.h"
#include "server/openapi.h"
#include "server/router.h"

namespace cdc {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const json& Document() {
  static const json kDocument = json::parse(OpenapiJson());
  return kDocument;
}

const json& Resolve(const json& value) {
  if (!value.is_object() || !value.contains("$ref")) return value;
  return Resolve(Document().at(json::json_pointer(value["$ref"].get<std::string>().substr(1))));
}

bool IsOfType(const json& value, const std::string& type) {
  return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
         (type == "string" && value.is_string()) || (type == "boolean" && value.is_boolean()) ||
         (type == "null" && value.is_null()) || (type == "integer" && value.is_number_integer()) ||
         (type == "number" && value.is_number());
}

std::string CheckSchema(const json& value, const json& schema, const std::string& where);

std::string CheckObject(const json& value, const json& schema, const std::string& where) {
  for (const json& name : schema.value("required", json::array())) {
    if (!value.contains(name.get<std::string>())) {
      return Format("{} lacks {}", where, name.get<std::string>());
    }
  }
  const json properties = schema.value("properties", json::object());
  for (const auto& [name, member] : value.items()) {
    const std::string path = where + "." + name;
    if (properties.contains(name)) {
      const std::string wrong = CheckSchema(member, properties[name], path);
      if (!wrong.empty()) return wrong;
      continue;
    }
    const json more = schema.value("additionalProperties", json(true));
    if (more == false) return path + " is not declared";
    if (!more.is_object()) continue;
    const std::string wrong = CheckSchema(member, more, path);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::string CheckChoice(const json& value, const json& schema, const std::string& where) {
  int fitting = 0;
  std::string all;
  for (const json& one : schema["oneOf"]) {
    const std::string wrong = CheckSchema(value, one, where);
    fitting += wrong.empty() ? 1 : 0;
    all += "; " + wrong;
  }
  return fitting == 1 ? "" : Format("{} fits {} of its forms{}", where, fitting, all);
}

// What this needs of JSON Schema, and no more.
std::string CheckSchema(const json& value, const json& unresolved, const std::string& where) {
  const json& schema = Resolve(unresolved);
  if (schema.contains("oneOf")) return CheckChoice(value, schema, where);
  if (schema.contains("const") && value != schema["const"]) return where + " is another constant";
  if (schema.contains("type")) {
    const json types = schema["type"].is_array() ? schema["type"] : json::array({schema["type"]});
    const bool fits = std::any_of(types.begin(), types.end(),
                                  [&](const json& type) { return IsOfType(value, type); });
    if (!fits) return Format("{} is of another type: {}", where, value.dump());
  }
  if (value.is_null()) return "";
  if (schema.contains("enum")) {
    const json& words = schema["enum"];
    if (std::find(words.begin(), words.end(), value) == words.end()) {
      return Format("{} is {}, which is not declared", where, value.dump());
    }
  }
  if (value.is_string() && schema.contains("pattern") &&
      !std::regex_search(value.get<std::string>(), std::regex(schema["pattern"]))) {
    return Format("{} does not fit its pattern: {}", where, value.dump());
  }
  if (value.is_number() && schema.contains("minimum") && value < schema["minimum"]) {
    return where + " is too small";
  }
  if (value.is_object()) return CheckObject(value, schema, where);
  if (value.is_array() && schema.contains("items")) {
    for (const json& item : value) {
      const std::string wrong = CheckSchema(item, schema["items"], where + "[]");
      if (!wrong.empty()) return wrong;
    }
  }
  return "";
}

// The declared paths as the server matches them.
const Router& Paths() {
  static const Router* const kRouter = [] {
    auto* router = new Router;  // NOLINT: lives as long as the test
    for (const auto& [path, item] : Document()["paths"].items()) {
      for (const auto& [method, operation] : item.items()) {
        std::string upper = method;
        for (char& c : upper) c = static_cast<char>(std::toupper(c));
        if (method == "parameters") continue;
        router->Add(upper, path,
                    [](const HttpRequest&, const std::string&) { return HttpResponse{}; });
      }
    }
    return router;
  }();
  return *kRouter;
}

std::string CheckUndeclared(const Router::Match& match, const HttpResponse& response) {
  const int wanted = match.pattern.empty() ? 404 : 405;
  if (response.status != wanted) return Format("answered {}, not {}", response.status, wanted);
  if (wanted == 405) {
    std::string allowed;
    for (const std::string& method : match.allowed) {
      allowed += (allowed.empty() ? "" : ", ") + method;
    }
    const std::pair<std::string, std::string> header{"Allow", allowed};
    if (std::find(response.headers.begin(), response.headers.end(), header) ==
        response.headers.end()) {
      return "Allow is not " + allowed;
    }
  }
  return CheckSchema(json::parse(response.body), {{"$ref", "#/components/schemas/Problem"}},
                     "body");
}

}  // namespace

std::string CheckDeclared(const HttpRequest& request, const HttpResponse& response) {
  const Router::Match match = Paths().Find(request.method, request.path);
  const std::string what = request.method + " " + request.path + ": ";
  if (match.handler == nullptr) {
    const std::string wrong = CheckUndeclared(match, response);
    return wrong.empty() ? "" : what + wrong;
  }
  std::string method = request.method == "HEAD" ? "GET" : request.method;
  for (char& c : method) c = static_cast<char>(std::tolower(c));
  const json& declared = Document()["paths"][match.pattern][method]["responses"];
  const std::string status = std::to_string(response.status);
  if (!declared.contains(status)) return what + status + " is not declared";
  const json& answer = Resolve(declared[status]);
  const json headers = answer.value("headers", json::object());
  for (const auto& [name, header] : headers.items()) {
    const bool there = std::any_of(response.headers.begin(), response.headers.end(),
                                   [&name = name](const auto& h) { return h.first == name; });
    if (!there && header.value("required", false)) return what + "header " + name + " is missing";
  }
  if (!answer.contains("content")) {
    return response.body.empty() ? "" : what + "has a body, and none is declared";
  }
  if (!answer["content"].contains(response.content_type)) {
    return what + response.content_type + " is not declared";
  }
  const json body = json::parse(response.body, nullptr, false);
  const std::string wrong =
      CheckSchema(body, answer["content"][response.content_type]["schema"], "body");
  return wrong.empty() ? "" : what + wrong;
}

namespace {

// The examples are what people copy: they must be right.
TEST(OpenapiTest, ExamplesFitTheirSchemas) {
  int seen = 0;
  const std::function<void(const json&, const std::string&)> visit = [&](const json& value,
                                                                         const std::string& where) {
    if (value.is_object() && value.contains("schema") && value.contains("example")) {
      EXPECT_EQ(CheckSchema(value["example"], value["schema"], where), "");
      ++seen;
    }
    if (value.is_object() && value.contains("schema") && value.contains("examples")) {
      for (const auto& [name, example] : value["examples"].items()) {
        EXPECT_EQ(CheckSchema(example["value"], value["schema"], where + " " + name), "");
        ++seen;
      }
    }
    if (!value.is_structured()) return;
    for (const auto& [name, member] : value.items()) visit(member, where + "/" + name);
  };
  visit(Document(), "");
  EXPECT_GT(seen, 20);
}

TEST(OpenapiTest, EveryReferenceLeadsSomewhereAndEverySchemaIsUsed) {
  std::set<std::string> used;
  const std::function<void(const json&)> visit = [&](const json& value) {
    if (value.is_object() && value.contains("$ref")) {
      const std::string to = value["$ref"];
      used.insert(to);
      EXPECT_TRUE(Document().contains(json::json_pointer(to.substr(1)))) << to;
    }
    if (!value.is_structured()) return;
    for (const json& member : value) visit(member);
  };
  visit(Document());
  for (const char* kind : {"schemas", "responses", "parameters"}) {
    for (const auto& [name, value] : Document()["components"][kind].items()) {
      EXPECT_TRUE(used.contains(Format("#/components/{}/{}", kind, name))) << name;
    }
  }
}

// A check that lets everything through would check nothing.
TEST(OpenapiTest, TheCheckSeesWhatIsWrong) {
  const HttpRequest get{"GET", "/api/v1/server"};
  HttpResponse answer{200, "application/json", "{}"};
  EXPECT_THAT(CheckDeclared(get, answer), HasSubstr("lacks"));
  answer.content_type = "text/plain";
  EXPECT_THAT(CheckDeclared(get, answer), HasSubstr("text/plain is not declared"));
  answer.status = 418;
  EXPECT_THAT(CheckDeclared(get, answer), HasSubstr("418 is not declared"));
  EXPECT_THAT(CheckDeclared({"GET", "/api/v1/nothing"}, answer), HasSubstr("not 404"));
  EXPECT_THAT(CheckDeclared({"BREW", "/api/v1/server"}, answer), HasSubstr("not 405"));
  const HttpResponse page{200, "application/json", R"({"tasks":[{"id":5}],"next":null})"};
  EXPECT_THAT(CheckDeclared({"GET", "/api/v1/tasks"}, page), HasSubstr("body.tasks[]"));
  const HttpResponse more{200, "application/json", R"({"tasks":[],"next":null,"x":1})"};
  EXPECT_THAT(CheckDeclared({"GET", "/api/v1/tasks"}, more), HasSubstr("x is not declared"));
}

}  // namespace
}  // namespace cdc
