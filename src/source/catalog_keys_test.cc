#include "source/catalog_keys.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

TEST(CatalogKeys, PathsAreJoinedWithoutSuperfluousSlashes) {
  EXPECT_EQ(CatalogKeys("by-dev", "meta").prefix(), "by-dev/meta/");
  EXPECT_EQ(CatalogKeys("/a/b/", "/meta/").prefix(), "a/b/meta/");
  EXPECT_EQ(CatalogKeys("by-dev", "").prefix(), "by-dev/");
}

TEST(CatalogKeys, ParsesWhatTheCatalogNeedsAndNothingElse) {
  const CatalogKeys keys("by-dev", "meta");
  const auto collection = keys.Parse("by-dev/meta/root-coord/database/collection-info/1/470642");
  ASSERT_TRUE(collection);
  EXPECT_EQ(collection->kind, CatalogKey::Kind::kCollection);
  EXPECT_EQ(collection->owner, 1);
  EXPECT_EQ(collection->id, 470642);
  const auto alias = keys.Parse("by-dev/meta/root-coord/database/aliases/1/a/b");
  ASSERT_TRUE(alias);
  EXPECT_EQ(alias->alias, "a/b");

  for (const char* other : {
           "by-dev/meta/root-coord/credential/users/root",
           "by-dev/meta/root-coord/collection-alias/x",
           "by-dev/meta/root-coord/fields/7",
           "by-dev/meta/root-coord/fields/7/",
           "by-dev/meta/root-coord/fields/7/x",
           "by-dev/meta/root-coord/fields/7/100/1",
           "by-dev/meta/root-coord/database/aliases/1",
           "by-dev/meta/root-coord/database/db-info/",
           "by-dev/meta/root-coord/database/db-info/99999999999999999999",
           "by-dev/meta/snapshots/root-coord/database/db-info/1_ts449",
           "by-dev2/meta/root-coord/database/db-info/1",
           "by-dev/meta/querycoord-replica/1/2",
       }) {
    EXPECT_FALSE(keys.Parse(other)) << other;
  }
}

TEST(CatalogKeys, OneIntervalHoldsEverythingAndNotTheSnapshots) {
  const CatalogKeys keys("by-dev", "meta");
  const EtcdInterval all = keys.Everything();
  const auto inside = [&](const std::string& key) { return all.begin <= key && key < all.end; };
  EXPECT_TRUE(inside("by-dev/meta/field-index/1/2"));
  EXPECT_TRUE(inside("by-dev/meta/querycoord-partition-loadinfo/1/2"));
  EXPECT_TRUE(inside("by-dev/meta/root-coord/partitions/9/9"));
  EXPECT_FALSE(inside("by-dev/meta/datacoord-meta/s/1/2/3"));
  EXPECT_FALSE(inside("by-dev/meta/segment-index/1/2/3/4"));
  EXPECT_FALSE(inside("by-dev/meta/snapshots/root-coord/partitions/9/9_ts4"));
  for (const EtcdInterval& part : keys.OfCollection(7, {1, 2})) EXPECT_TRUE(inside(part.begin));
}

}  // namespace
}  // namespace cdc
