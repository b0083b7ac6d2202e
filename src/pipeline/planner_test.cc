#include "pipeline/planner.h"

#include <gtest/gtest.h>

#include <functional>

namespace cdc {
namespace {

Field MakeField(FieldId id, const std::string& name, int32_t type, bool key = false) {
  Field field;
  field.id = id;
  field.name = name;
  field.data_type = type;
  field.primary_key = key;
  return field;
}

struct State {
  SourceCollection want;
  TargetCollection actual;
  PlanContext context;
};

// Equal on both sides: one partition beside the default, one index, loaded.
State Equal() {
  State s;
  s.want.name = "c";
  s.want.schema.fields = {MakeField(100, "id", 5, true), MakeField(101, "v", 101)};
  s.want.partitions[1] = {1, "_default", ObjectState::kCreated, 5};
  s.want.partitions[2] = {2, "p", ObjectState::kCreated, 6};
  s.want.indexes[9] = {9, 101, "vi", {{"index_type", "HNSW"}}};
  s.want.load.kind = LoadState::Kind::kCollection;
  s.want.aliases = {"a"};
  s.want.properties = {{"collection.ttl.seconds", "60"}};
  s.actual.name = {"db", "c"};
  s.actual.schema = s.want.schema;
  s.actual.vchannels = {"by-dev-rootcoord-dml_0_7v0"};
  s.actual.partitions = {{"_default", 11}, {"p", 12}};
  s.actual.indexes = {{"vi", "v", {{"index_type", "HNSW"}, {"M", "16"}}}};
  s.actual.load = LoadState::Kind::kCollection;
  s.actual.aliases = {"a"};
  s.actual.properties = {{"collection.ttl.seconds", "60"}, {"theirs", "x"}};
  return s;
}

struct Case {
  const char* name;
  std::function<void(State*)> change;
  const char* expected;  // ToString of the step; empty: nothing to do
};

std::string Plan(const State& s) {
  const auto step = NextStep(s.want, s.actual, s.context);
  return step ? ToString(*step) : "";
}

class PlannerTest : public testing::TestWithParam<Case> {};

TEST_P(PlannerTest, PlansTheStep) {
  State state = Equal();
  GetParam().change(&state);
  const std::string got = Plan(state);
  const std::string wanted = GetParam().expected;
  EXPECT_EQ(got.substr(0, got.find(' ', got.find(' ') + 1)), wanted) << "whole step: " << got;
}

INSTANTIATE_TEST_SUITE_P(
    Planner, PlannerTest,
    testing::Values(
        Case{"Equal", [](State*) {}, ""},
        Case{"PartitionMissing", [](State* s) { s->actual.partitions.erase("p"); },
             "create partition"},
        Case{"PartitionDropping",
             [](State* s) {
               s->want.partitions[2].state = ObjectState::kDropping;
               s->actual.partitions.erase("p");
             },
             ""},
        Case{"PartitionKeyMakesItsOwn",
             [](State* s) {
               s->want.schema.fields[0].partition_key = true;
               s->actual.partitions.erase("p");
             },
             ""},
        Case{"PropertyDiffers", [](State* s) { s->want.properties[0].second = "61"; },
             "alter properties"},
        Case{"AliasMissing", [](State* s) { s->actual.aliases.clear(); }, "create alias"},
        Case{"AliasElsewhere",
             [](State* s) {
               s->actual.aliases.clear();
               s->context.aliases_elsewhere = {"a"};
             },
             "alter alias"},
        Case{"AliasSurplus", [](State* s) { s->want.aliases.clear(); }, "drop alias"},
        Case{"AliasWantedElsewhere",
             [](State* s) {
               s->want.aliases.clear();
               s->context.aliases_wanted_elsewhere = {"a"};
             },
             ""},
        Case{"IndexMissing", [](State* s) { s->actual.indexes.clear(); }, "create index"},
        Case{"IndexSurplusIsReleasedFirst", [](State* s) { s->want.indexes.clear(); },
             "release collection"},
        Case{"IndexSurplus",
             [](State* s) {
               s->want.indexes.clear();
               s->want.load.kind = LoadState::Kind::kNone;
               s->actual.load = LoadState::Kind::kNone;
             },
             "drop index"},
        Case{"IndexOtherParameters",
             [](State* s) {
               s->want.indexes[9].params = {{"index_type", "FLAT"}};
               s->actual.load = LoadState::Kind::kNone;
             },
             "drop index"},
        Case{"IndexMadeAnew",
             [](State* s) {
               s->context.stale_indexes = {"vi"};
               s->actual.load = LoadState::Kind::kNone;
             },
             "drop index"},
        Case{"Load", [](State* s) { s->actual.load = LoadState::Kind::kNone; }, "load collection"},
        Case{"LoadNever",
             [](State* s) {
               s->actual.load = LoadState::Kind::kNone;
               s->context.load = LoadPolicy::kNever;
             },
             ""},
        Case{"LoadOnceAndSettled",
             [](State* s) {
               s->actual.load = LoadState::Kind::kNone;
               s->context.load = LoadPolicy::kOnce;
               s->context.load_settled = true;
             },
             ""},
        Case{"LoadUnderWay",
             [](State* s) {
               s->actual.load = LoadState::Kind::kNone;
               s->actual.loading = true;
             },
             ""},
        Case{"LoadWantsAnIndex",
             [](State* s) {
               s->actual.load = LoadState::Kind::kNone;
               s->want.indexes.clear();
               s->actual.indexes.clear();
             },
             ""},
        Case{"Release", [](State* s) { s->want.load.kind = LoadState::Kind::kNone; },
             "release collection"},
        Case{"LoadOnePartition",
             [](State* s) {
               s->want.load.kind = LoadState::Kind::kPartitions;
               s->want.load.partitions = {2};
               s->actual.load = LoadState::Kind::kNone;
             },
             "load partitions"},
        Case{"ReleaseOnePartition",
             [](State* s) {
               s->want.load.kind = LoadState::Kind::kPartitions;
               s->want.load.partitions = {2};
               s->actual.load = LoadState::Kind::kPartitions;
               s->actual.loaded_partitions = {"_default", "p"};
             },
             "release partitions"}),
    [](const auto& info) { return info.param.name; });

TEST(PlannerOrder, PartitionsComeFirstAndLoadLast) {
  State s = Equal();
  s.actual.partitions.erase("p");
  s.actual.aliases.clear();
  s.actual.indexes.clear();
  s.actual.load = LoadState::Kind::kNone;
  s.actual.properties.clear();
  const auto kind = [&] { return NextStep(s.want, s.actual, s.context)->kind; };
  EXPECT_EQ(kind(), DdlStep::Kind::kCreatePartition);
  EXPECT_EQ(NextStep(s.want, s.actual, s.context)->ts, 6u);
  s.actual.partitions["p"] = 12;
  EXPECT_EQ(kind(), DdlStep::Kind::kAlterProperties);
  s.actual.properties = s.want.properties;
  EXPECT_EQ(kind(), DdlStep::Kind::kCreateAlias);
  s.actual.aliases = {"a"};
  EXPECT_EQ(kind(), DdlStep::Kind::kCreateIndex);
  s.actual.indexes = {{"vi", "v", {}}};
  EXPECT_EQ(kind(), DdlStep::Kind::kLoadCollection);
}

TEST(PlannerOrder, ARefusedStepDoesNotHoldUpTheOthers) {
  State s = Equal();
  s.actual.aliases.clear();
  s.actual.load = LoadState::Kind::kNone;
  s.context.refused = {Plan(s)};
  EXPECT_EQ(NextStep(s.want, s.actual, s.context)->kind, DdlStep::Kind::kLoadCollection);
}

TEST(PlannerOrder, MilvusLiteLoadsWholeCollectionsAndReleasesNothingBeforeADrop) {
  State s = Equal();
  s.actual.vchannels.clear();
  EXPECT_FALSE(StepBeforePartitionDrop(s.actual, "p").has_value());
  s.want.load.kind = LoadState::Kind::kPartitions;
  s.want.load.partitions = {2};
  EXPECT_EQ(Plan(s), "");
  s.actual.load = LoadState::Kind::kNone;
  EXPECT_EQ(NextStep(s.want, s.actual, s.context)->kind, DdlStep::Kind::kLoadCollection);
  s.actual.load = LoadState::Kind::kCollection;
  s.actual.indexes.clear();
  s.want.indexes.clear();
  s.want.load.kind = LoadState::Kind::kNone;
  EXPECT_EQ(Plan(s), "");  // it calls that loaded, whatever one does
}

TEST(PlannerOrder, AnIndexWithItsParametersWrittenAnotherWayIsTheSame) {
  State s = Equal();
  s.want.indexes[9].params = {{"index_type", "HNSW"},
                              {"params", R"({"M":12,"efConstruction":90})"}};
  s.actual.indexes[0].params = {{"params", R"({"efConstruction": 90, "M": 12})"}};
  EXPECT_EQ(Plan(s), "");
  s.actual.indexes[0].params = {{"params", R"({"efConstruction": 91, "M": 12})"}};
  EXPECT_EQ(NextStep(s.want, s.actual, s.context)->kind, DdlStep::Kind::kReleaseCollection);
}

TEST(PlannerOrder, IgnoredPartitionsAreNeitherMadeNorLoaded) {
  State s = Equal();
  s.want.partitions[3] = {3, "new", ObjectState::kCreated, 7};
  s.want.load.kind = LoadState::Kind::kPartitions;
  s.want.load.partitions = {2, 3};
  s.actual.load = LoadState::Kind::kPartitions;
  s.actual.loaded_partitions = {"p"};
  s.context.ignore_partitions = true;
  EXPECT_EQ(Plan(s), "");
}

TEST(PlannerOrder, APartitionIsReleasedBeforeItsDrop) {
  State s = Equal();
  EXPECT_EQ(StepBeforePartitionDrop(s.actual, "p")->kind, DdlStep::Kind::kReleaseCollection);
  s.actual.load = LoadState::Kind::kPartitions;
  s.actual.loaded_partitions = {"_default"};
  EXPECT_FALSE(StepBeforePartitionDrop(s.actual, "p").has_value());
  s.actual.loaded_partitions = {"_default", "p"};
  EXPECT_EQ(StepBeforePartitionDrop(s.actual, "p")->kind, DdlStep::Kind::kReleasePartitions);
  s.actual.loaded_partitions = {"p"};
  EXPECT_EQ(StepBeforePartitionDrop(s.actual, "p")->kind, DdlStep::Kind::kReleaseCollection);
  s.actual.load = LoadState::Kind::kNone;
  s.actual.loaded_partitions.clear();
  EXPECT_FALSE(StepBeforePartitionDrop(s.actual, "p").has_value());
}

}  // namespace
}  // namespace cdc
