#include "client/milvus/meta_codec.h"

#include <gtest/gtest.h>

#include "milvus/meta.pb.h"

namespace cdc {
namespace {

TEST(MetaCodec, TombstoneIsExactlyItsThreeBytes) {
  EXPECT_TRUE(IsTombstone("\xE2\x9B\xBC"));
  EXPECT_FALSE(IsTombstone(""));
  EXPECT_FALSE(IsTombstone("\xE2\x9B\xBC "));
}

TEST(MetaCodec, StatesOfDatabasesCountDifferently) {
  const ObjectState expected[] = {ObjectState::kCreated, ObjectState::kCreated,
                                  ObjectState::kCreating, ObjectState::kDropping,
                                  ObjectState::kDropped};
  for (int state = 0; state < 5; ++state) {
    wire::DatabaseMeta wire;
    wire.set_state(state);
    const auto database = DecodeDatabase(wire.SerializeAsString());
    ASSERT_TRUE(database.ok());
    EXPECT_EQ(database->state, expected[state]) << state;
  }
  const ObjectState of_collections[] = {ObjectState::kCreated, ObjectState::kCreating,
                                        ObjectState::kDropping, ObjectState::kDropped};
  for (int state = 0; state < 4; ++state) {
    wire::CollectionMeta wire;
    wire.set_state(state);
    EXPECT_EQ(DecodeCollection(wire.SerializeAsString())->state, of_collections[state]) << state;
  }
}

TEST(MetaCodec, IndexParametersAreTheUsersWhereThereAreAny) {
  wire::FieldIndexMeta wire;
  auto* stored = wire.mutable_index_info()->add_index_params();
  stored->set_key("index_type");
  stored->set_value("HNSW");
  // Of a scalar field, made without parameters: the target is to choose as the source did.
  EXPECT_EQ(DecodeIndex(wire.SerializeAsString())->index.params, KeyValues{});
  auto* metric = wire.mutable_index_info()->add_index_params();
  metric->set_key("metric_type");
  metric->set_value("L2");
  EXPECT_EQ(DecodeIndex(wire.SerializeAsString())->index.params,
            (KeyValues{{"index_type", "HNSW"}, {"metric_type", "L2"}}));
  auto* given = wire.mutable_index_info()->add_user_index_params();
  given->set_key("index_type");
  given->set_value("AUTOINDEX");
  wire.set_deleted(true);
  const auto index = DecodeIndex(wire.SerializeAsString());
  EXPECT_EQ(index->index.params, (KeyValues{{"index_type", "AUTOINDEX"}}));
  EXPECT_TRUE(index->deleted);
}

TEST(MetaCodec, GarbageIsCorruptNotACrash) {
  const std::string garbage = "\x0b\xff\xff";
  EXPECT_EQ(DecodeCollection(garbage).error().disposition, Disposition::kCorrupt);
  EXPECT_EQ(DecodeDatabase(garbage).error().disposition, Disposition::kCorrupt);
  EXPECT_EQ(DecodeField(garbage).error().disposition, Disposition::kCorrupt);
  EXPECT_EQ(DecodeFunction(garbage).error().disposition, Disposition::kCorrupt);
  EXPECT_EQ(DecodePartition(garbage).error().disposition, Disposition::kCorrupt);
  EXPECT_EQ(DecodeAlias(garbage).error().disposition, Disposition::kCorrupt);
  EXPECT_EQ(DecodeIndex(garbage).error().disposition, Disposition::kCorrupt);
  EXPECT_EQ(DecodeCollectionLoad(garbage).error().disposition, Disposition::kCorrupt);
}

// Found by fuzzing: protobuf set 1 MiB aside for a name of one byte.
TEST(MetaCodec, ANestedLengthThatClaimsMoreThanThereIsIsRefusedBeforeProtobufBelievesIt) {
  // A schema of 9 bytes holds a field that claims 1 MiB, whose name claims as much.
  const std::string value = "\x12\x09\x22\x88\x80\x40\x12\x84\x80\x40x";
  const auto collection = DecodeCollection(value);
  ASSERT_FALSE(collection.ok());
  EXPECT_NE(collection.error().message.find("a length is wrong"), std::string::npos);
}

}  // namespace
}  // namespace cdc
