#include "server/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cdc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    const auto add = [&](const char* method, const char* pattern) {
      router_.Add(
          method, pattern,
          [name = std::string(method) + " " + pattern](const HttpRequest&, const std::string& id) {
            return HttpResponse{200, "", name + " " + id};
          });
    };
    add("GET", "/tasks");
    add("POST", "/tasks");
    add("DELETE", "/tasks/{id}");
    add("GET", "/tasks/{id}/positions");
    add("*", "/any");
  }
  std::string Answer(const std::string& method, const std::string& path) {
    const Router::Match match = router_.Find(method, path);
    return match.handler != nullptr ? (*match.handler)({}, match.id).body : "none";
  }
  Router router_;
};

TEST_F(RouterTest, FindsByMethodAndPath) {
  EXPECT_EQ(Answer("GET", "/tasks"), "GET /tasks ");
  EXPECT_EQ(Answer("HEAD", "/tasks"), "GET /tasks ");
  EXPECT_EQ(Answer("POST", "/tasks"), "POST /tasks ");
  EXPECT_EQ(Answer("DELETE", "/tasks/a%2Fb%20c"), "DELETE /tasks/{id} a/b c");
  EXPECT_EQ(Answer("GET", "/tasks/positions/positions"), "GET /tasks/{id}/positions positions");
  EXPECT_EQ(Answer("BREW", "/any"), "* /any ");
}

TEST_F(RouterTest, OtherPathsAreNone) {
  for (const char* path : {"", "/", "tasks", "/tasks/", "/task", "/tasks//positions", "/TASKS",
                           "/tasks/a/b", "/tasks/{id}/x", "//tasks"}) {
    const Router::Match match = router_.Find("GET", path);
    EXPECT_EQ(match.handler, nullptr) << path;
    EXPECT_EQ(match.pattern, "") << path;
    EXPECT_THAT(match.allowed, IsEmpty()) << path;
  }
}

TEST_F(RouterTest, OtherMethodsAreTold) {
  EXPECT_THAT(router_.Find("PUT", "/tasks").allowed, ElementsAre("GET", "HEAD", "POST"));
  EXPECT_THAT(router_.Find("GET", "/tasks/x").allowed, ElementsAre("DELETE"));
  EXPECT_EQ(router_.Find("GET", "/tasks/x").pattern, "/tasks/{id}");
}

}  // namespace
}  // namespace cdc
