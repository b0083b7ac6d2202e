#include "base/percent.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

TEST(PercentTest, Codes) {
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
    EXPECT_EQ(PercentDecode(PercentEncode(text, "")), text);
  }
  EXPECT_EQ(PercentEncode("a b/ä~:"), "a%20b%2F%C3%A4~%3A");
  EXPECT_EQ(PercentEncode("a~:", ":"), "a%7E:");
}

}  // namespace
}  // namespace cdc
