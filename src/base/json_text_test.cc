#include "base/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cdc {
namespace {

TEST(JsonTextTest, LinesAndBlocks) {
  const nlohmann::json value = {{"a", {1, 2}}, {"b", "x\xffy"}};
  EXPECT_EQ(JsonLine(value), "{\"a\":[1,2],\"b\":\"x\xEF\xBF\xBDy\"}");
  EXPECT_EQ(JsonBlock({{"a", 1}}), "{\n  \"a\": 1\n}");
}

}  // namespace
}  // namespace cdc
