#include "client/milvus/schema_codec.h"

#include <gtest/gtest.h>

#include "milvus/schema.pb.h"

namespace cdc {
namespace {

wire::FieldSchema* Add(wire::CollectionSchema* schema, int64_t id, const char* name, int type) {
  wire::FieldSchema* field = schema->add_fields();
  field->set_field_id(id);
  field->set_name(name);
  field->set_data_type(type);
  return field;
}

TEST(SchemaCodec, LeavesOutSystemFieldsAndOrdersNumerically) {
  wire::CollectionSchema wire;
  wire.set_name("books");
  Add(&wire, 0, "RowID", 5);
  Add(&wire, 1, "Timestamp", 5);
  Add(&wire, 1000, "late", 4);  // lexicographic order would put it before 101
  Add(&wire, 101, "vector", 101);
  Add(&wire, 100, "id", 5)->set_is_primary_key(true);
  Add(&wire, 102, "$meta", 23)->set_is_dynamic(true);

  const CollectionSchema schema = SchemaFromWire(wire);
  EXPECT_EQ(schema.name, "books");
  EXPECT_TRUE(schema.enable_dynamic_field);
  ASSERT_EQ(schema.fields.size(), 3u);
  EXPECT_EQ(schema.fields[0].name, "id");
  EXPECT_EQ(schema.fields[1].name, "vector");
  EXPECT_EQ(schema.fields[2].name, "late");
  ASSERT_NE(schema.PrimaryKey(), nullptr);
  EXPECT_EQ(schema.PrimaryKey()->id, 100);
}

TEST(SchemaCodec, UserFieldsWithoutNumbersKeepTheirOrder) {
  wire::CollectionSchema wire;
  Add(&wire, 0, "id", 5);
  Add(&wire, 0, "vector", 101);
  const CollectionSchema schema = SchemaFromWire(wire);
  ASSERT_EQ(schema.fields.size(), 2u);
  EXPECT_EQ(schema.fields[0].name, "id");
  EXPECT_EQ(schema.fields[1].name, "vector");
}

TEST(SchemaCodec, EveryPropertySurvivesTheRoundTrip) {
  Field field;
  field.name = "tags";
  field.description = "words";
  field.data_type = 22;
  field.element_type = 21;
  field.primary_key = true;
  field.auto_id = true;
  field.partition_key = true;
  field.clustering_key = true;
  field.nullable = true;
  field.function_output = true;
  field.type_params = {{"max_length", "64"}, {"max_capacity", "8"}};
  field.index_params = {{"mmap.enabled", "true"}};
  field.default_value = std::string("\x10\0\x07", 3);
  CollectionSchema schema;
  schema.name = "books";
  schema.description = "all of them";
  schema.auto_id = true;
  schema.enable_dynamic_field = true;
  schema.fields = {field};
  schema.functions = {{"bm25", "of words", 1, {"tags"}, {"sparse"}, {{"k1", "1.2"}}}};

  wire::CollectionSchema wire;
  SchemaToWire(schema, false, &wire);
  EXPECT_EQ(SchemaFromWire(wire), schema);

  wire::CollectionSchema own_keys;
  SchemaToWire(schema, true, &own_keys);
  EXPECT_FALSE(own_keys.auto_id());
  EXPECT_FALSE(own_keys.fields(0).auto_id());
  EXPECT_EQ(own_keys.fields(0).type_params_size(), 2);
}

}  // namespace
}  // namespace cdc
