#include "server/url.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

TEST(UrlTest, PercentCodes) {
  const struct {
    const char* encoded;
    const char* plain;
  } cases[] = {
      {"", ""},       {"abc", "abc"}, {"a%20b", "a b"}, {"%41%6a%6A", "Ajj"},
      {"%2F", "/"},   {"%", "%"},     {"%4", "%4"},     {"%zz", "%zz"},
      {"%%41", "%A"}, {"a%4", "a%4"}, {"%C3%A4", "ä"},  {"a+b", "a+b"},
  };
  for (const auto& c : cases) EXPECT_EQ(PercentDecode(c.encoded), c.plain) << c.encoded;
  for (const char* text : {"a b/c%d", "ä", "x-_.~9", "\x7f\x01"}) {
    EXPECT_EQ(PercentDecode(PercentEncode(text)), text);
  }
  EXPECT_EQ(PercentEncode("a b/ä~"), "a%20b%2F%C3%A4~");
}

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
