#include "server/url.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

TEST(UrlTest, Queries) {
  const auto parse = [](const std::string& query) {
    auto parsed = ParseQuery(query);
    EXPECT_TRUE(parsed.ok()) << query;
    return parsed.ok() ? *parsed : std::map<std::string, std::string>{};
  };
  using Map = std::map<std::string, std::string>;
  EXPECT_EQ(parse(""), Map());
  EXPECT_EQ(parse("a=1&b=x%20y+z&&c"), (Map{{"a", "1"}, {"b", "x y z"}, {"c", ""}}));
  EXPECT_EQ(parse("a=b=c&="), (Map{{"a", "b=c"}, {"", ""}}));
  EXPECT_FALSE(ParseQuery("a=1&a=2").ok());
}

}  // namespace
}  // namespace cdc
