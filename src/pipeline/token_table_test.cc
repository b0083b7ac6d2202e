#include "pipeline/token_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cdc {
namespace {

TEST(TokenTable, TakesOnceWhatWasPut) {
  TokenTable<std::string> table;
  table.Put(7, "seven");
  table.Put(9, "nine");
  table.Put(5, "five");  // below the first
  EXPECT_EQ(table.Take(7), "seven");
  EXPECT_EQ(table.Take(7), std::nullopt);
  EXPECT_EQ(table.Take(6), std::nullopt);
  EXPECT_EQ(table.Take(8), std::nullopt);
  EXPECT_EQ(table.Take(100), std::nullopt);
  EXPECT_EQ(table.Take(4), std::nullopt);
  EXPECT_EQ(table.Take(5), "five");
  EXPECT_FALSE(table.empty());
  EXPECT_EQ(table.Take(9), "nine");
  EXPECT_TRUE(table.empty());
  table.Put(2, "two");  // an emptied table begins anywhere
  EXPECT_EQ(table.Take(2), "two");
}

TEST(TokenTable, TakesOutByValue) {
  TokenTable<int> table;
  for (int i = 10; i < 20; ++i) table.Put(static_cast<uint64_t>(i), i);
  std::vector<uint64_t> taken;
  table.TakeIf([](int value) { return value % 2 == 0; },
               [&](uint64_t token, int) { taken.push_back(token); });
  EXPECT_EQ(taken, (std::vector<uint64_t>{10, 12, 14, 16, 18}));
  EXPECT_EQ(table.Take(12), std::nullopt);
  EXPECT_EQ(table.Take(13), 13);
}

}  // namespace
}  // namespace cdc
