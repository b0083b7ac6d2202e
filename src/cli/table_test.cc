#include "cli/table.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

TEST(TableTest, ColumnsStandUnderOneAnother) {
  Table table({{"ID"}, {"ROWS", true}, {"REASON"}});
  table.Add({"a", "7", "fine"});
  table.Add({"longer", "12345", ""});
  EXPECT_EQ(table.Text(0),
            "ID       ROWS  REASON\n"
            "a           7  fine\n"
            "longer  12345\n");
}

TEST(TableTest, WideAndCombiningCharactersTakeTheirWidth) {
  Table table({{"NAME"}, {"X"}});
  table.Add({"日本", "1"});
  table.Add({"e\u0301te\u0301", "2"});
  table.Add({"plain", "3"});
  EXPECT_EQ(table.Text(0),
            "NAME   X\n"
            "日本   1\n"
            "e\u0301te\u0301    2\n"
            "plain  3\n");
}

TEST(TableTest, TheWidestColumnIsCutToTheTerminal) {
  Table table({{"ID", false, true}, {"TARGET"}, {"REASON"}});
  table.Add({"a-name-that-is-to-be-copied", "http://target:19530", "connection refused by it"});
  const std::string text = table.Text(60);
  EXPECT_EQ(text,
            "ID                           TARGET          REASON\n"
            "a-name-that-is-to-be-copied  http://target…  connection ref…\n")
      << text;
}

TEST(TableTest, NothingIsCutBelowItsTitle) {
  Table table({{"IDENTIFIER"}, {"REASON"}});
  table.Add({"0123456789abc", "0123456789abc"});
  EXPECT_EQ(table.Text(5),
            "IDENTIFIER  REASON\n"
            "012345678…  0123456…\n");
}

TEST(TableTest, ControlCharactersAndBrokenTextAreShownAsSuch) {
  EXPECT_EQ(Printable("a\nb\tc"), "a b c");
  EXPECT_EQ(Printable("\x1b]0;title\x07"), "?]0;title?");
  EXPECT_EQ(Printable("\xff\xc3"), "??");
  EXPECT_EQ(Printable(std::string_view("a\0b", 3)), "a?b");
  EXPECT_EQ(Printable("grün"), "grün");
}

TEST(TableTest, CutLeavesWholeCharacters) {
  EXPECT_EQ(Cut("four", 4), "four");
  EXPECT_EQ(Cut("fives", 4), "fiv…");
  EXPECT_EQ(Cut("日本語", 4), "日…");  // two wide ones would leave no room for the ellipsis
  EXPECT_EQ(Cut("日本語", 6), "日本語");
  EXPECT_EQ(Cut("text", 0), "…");
}

}  // namespace
}  // namespace cdc
