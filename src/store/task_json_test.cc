#include "store/task_json.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

using Kind = LogPosition::Kind;

// What was stored must be read by every later version.
constexpr char kFirstVersion[] =
    R"({"id":"t","mode":"api","mode_reason":"","target":{},"includes":[{"database":"default",)"
    R"("collection":"*"}],"request_json":"{}"})";
constexpr char kStart[] =
    R"("start":{"adopted":["461000000000000001"],"collections":{"461000000000000001":)"
    R"({"by-dev-rootcoord-dml_0":{"after":"18446744073709551615","from":"at 7:12"},)"
    R"("by-dev-rootcoord-dml_1":{"after":"0","from":"earliest"}}},"made":"461373440000000000",)"
    R"("others":{"by-dev-rootcoord-dml_0":"after 9:30"}},"target":)";

TaskSpec Spec() {
  TaskSpec spec;
  spec.id = "t";
  spec.mode = TargetMode::kApi;
  spec.selection.includes = {{"default", "a"}};
  spec.start.collections[461000000000000001] = {
      {"by-dev-rootcoord-dml_0", {{Kind::kAt, {7, 12}}, ~Timestamp{0}}},
      {"by-dev-rootcoord-dml_1", {}}};
  spec.start.others["by-dev-rootcoord-dml_0"] = {Kind::kAfter, {9, 30}};
  spec.start.adopted = {461000000000000001};
  spec.start.made_ts = 461373440000000000;
  return spec;
}

TEST(TaskJson, TheFormOfAStart) {
  const std::string text = TaskSpecToJson(Spec());
  EXPECT_NE(text.find(kStart), std::string::npos) << text;
  const Result<TaskSpec> read = TaskSpecFromJson(text);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->start, Spec().start);
}

TEST(TaskJson, ATaskWithoutAStartBeginsAtTheEndOfTheLog) {
  const Result<TaskSpec> read = TaskSpecFromJson(kFirstVersion);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_TRUE(read->start.empty());
  EXPECT_EQ(TaskSpecToJson(*read).find(R"("start":)"), std::string::npos);
}

TEST(TaskJson, ADamagedStartIsNotTakenForNone) {
  const std::string text = TaskSpecToJson(Spec());
  for (const std::string damage : {"at 7:12", "earliest", "461373440000000000", "made"}) {
    std::string damaged = text;
    damaged.replace(damaged.find(damage), 2, "xx");
    EXPECT_FALSE(TaskSpecFromJson(damaged).ok()) << damaged;
  }
}

}  // namespace
}  // namespace cdc
