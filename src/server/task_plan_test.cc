#include "server/task_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cdc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

SourceCollectionPtr Collection(CollectionId id, DatabaseId db, const std::string& name,
                               std::vector<std::string> channels,
                               ObjectState state = ObjectState::kCreated) {
  SourceCollection c;
  c.id = id;
  c.db_id = db;
  c.name = name;
  c.pchannels = std::move(channels);
  c.state = state;
  return std::make_shared<const SourceCollection>(std::move(c));
}

CatalogUpdate Catalog() {
  CatalogUpdate catalog;
  catalog.databases = {{1, "default"}, {2, "shop"}};
  catalog.collections = {Collection(10, 1, "a", {"ch0", "ch1"}), Collection(11, 2, "a", {"ch2"}),
                         Collection(12, 2, "b", {"ch2"}),
                         Collection(13, 2, "old", {"ch9"}, ObjectState::kDropping)};
  return catalog;
}

TEST(TaskPlanTest, NamesWhatIsSelectedAndWhereItGoes) {
  Selection selection;
  selection.includes = {{"default", "a"}, {"shop", "*"}};
  selection.excludes = {{"shop", "b"}};
  selection.mappings = {{"shop", "copy", {{"a", "a2"}}}};
  const auto plan = PlanSource(selection, Catalog());
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(plan->channels, ElementsAre("ch0", "ch1", "ch2"));
  ASSERT_EQ(plan->collections.size(), 2u);
  EXPECT_EQ(plan->collections[1].source_db, "shop");
  EXPECT_EQ(plan->collections[1].source_id, 11);
  EXPECT_EQ(plan->collections[1].target_db, "copy");
  EXPECT_EQ(plan->collections[1].target_collection, "a2");
}

TEST(TaskPlanTest, PatternsMayMatchNothingYet) {
  Selection selection;
  selection.includes = {{"later", "*"}};
  const auto plan = PlanSource(selection, Catalog());
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(plan->collections, IsEmpty());
}

// The existing Milvus-CDC takes it too, and the collection when it is created.
TEST(TaskPlanTest, AnExactNameNeedNotBeThere) {
  Selection selection;
  selection.includes = {{"shop", "old"}, {"shop", "a"}, {"shop", "x*"}};
  const auto plan = PlanSource(selection, Catalog());
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->missing, std::vector<std::string>{"shop.old"});
  EXPECT_EQ(plan->collections.size(), 1u);
}

TEST(TaskPlanTest, TwoCollectionsDoNotGetOneName) {
  Selection selection;
  selection.includes = {{"*", "*"}};
  selection.mappings = {{"shop", "default", {}}};
  const auto plan = PlanSource(selection, Catalog());
  ASSERT_FALSE(plan.ok());
  EXPECT_THAT(plan.error().message,
              HasSubstr("collections default.a and shop.a would both be written to default.a"));
}

}  // namespace
}  // namespace cdc
