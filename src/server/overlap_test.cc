#include "server/overlap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cdc {
namespace {

Selection Select(std::vector<NamePattern> includes, std::vector<NamePattern> excludes = {}) {
  Selection selection;
  selection.includes = std::move(includes);
  selection.excludes = std::move(excludes);
  return selection;
}

TEST(OverlapTest, Rules) {
  const struct {
    const char* what;
    Selection existing;
    Selection fresh;
    bool refused;
    std::vector<NamePattern> excludes;  // of fresh, afterwards
  } cases[] = {
      {"equal", Select({{"d", "a"}}), Select({{"d", "a"}}), true, {}},
      {"another collection", Select({{"d", "a"}}), Select({{"d", "b"}}), false, {}},
      {"another database", Select({{"d", "a"}}), Select({{"e", "a"}}), false, {}},
      {"wildcard, then one", Select({{"d", "*"}}), Select({{"d", "a"}}), true, {}},
      {"one, then wildcard", Select({{"d", "a"}}), Select({{"d", "*"}}), false, {{"d", "a"}}},
      {"one, then all", Select({{"d", "a"}}), Select({{"*", "*"}}), false, {{"d", "a"}}},
      {"pattern, then wildcard", Select({{"d", "a*"}}), Select({{"d", "*"}}), false, {{"d", "a*"}}},
      {"wildcard that excludes it, then one",
       Select({{"d", "*"}}, {{"d", "a"}}),
       Select({{"d", "a"}}),
       false,
       {}},
      {"one, excluded by the wildcard",
       Select({{"d", "a"}}),
       Select({{"d", "*"}}, {{"d", "a"}}),
       false,
       {{"d", "a"}}},
      {"partly overlapping", Select({{"d", "a*"}}), Select({{"d", "*b"}}), true, {}},
      {"partly overlapping, databases", Select({{"*", "a"}}), Select({{"d", "*"}}), true, {}},
      {"patterns apart", Select({{"d", "a*"}}), Select({{"d", "b*"}}), false, {}},
      {"all twice", Select({{"*", "*"}}), Select({{"*", "*"}}), true, {}},
  };
  for (const auto& c : cases) {
    Selection fresh = c.fresh;
    const Status status = ResolveOverlap({c.existing}, &fresh);
    EXPECT_EQ(!status.ok(), c.refused) << c.what;
    EXPECT_EQ(fresh.excludes, c.refused ? c.fresh.excludes : c.excludes) << c.what;
  }
}

TEST(OverlapTest, MessageNamesThem) {
  Selection fresh = Select({{"d", "a"}, {"d", "free"}, {"d", "b"}});
  const Status status = ResolveOverlap({Select({{"d", "a"}}), Select({{"d", "b"}})}, &fresh);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message,
            "the collection name is duplicate with existing task, [d.a d.b]");
}

}  // namespace
}  // namespace cdc
