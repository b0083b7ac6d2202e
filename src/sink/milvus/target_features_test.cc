#include "sink/milvus/target_features.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

CollectionSchema With(Field field) {
  CollectionSchema schema;
  schema.fields = {std::move(field)};
  return schema;
}

TEST(TargetFeatures, TypesOfLaterVersionsAreNamedWithTheirField) {
  Field sparse;
  sparse.name = "sp";
  sparse.data_type = 104;
  EXPECT_EQ(
      MissingFeature(With(sparse), "v2.3.5"),
      "field 'sp' is of type sparse vector (104), which needs Milvus 2.4; the target is v2.3.5");
  EXPECT_EQ(MissingFeature(With(sparse), "2.4.0"), "");
  EXPECT_EQ(MissingFeature(With(sparse), "3.0.1"), "");
  EXPECT_EQ(MissingFeature(With(sparse), "milvus_lite-3.2.2"), "");
  EXPECT_EQ(MissingFeature(With(sparse), ""), "");
  sparse.data_type = 102;  // 2.3.5 takes float16 vectors
  EXPECT_EQ(MissingFeature(With(sparse), "2.3.5"), "");
}

TEST(TargetFeatures, NullableFieldsWouldBecomeZeros) {
  Field field;
  field.name = "f";
  field.data_type = 10;
  field.nullable = true;
  EXPECT_EQ(
      MissingFeature(With(field), "2.4.21"),
      "field 'f' of type float (10) is nullable, which needs Milvus 2.5; the target is 2.4.21");
  EXPECT_EQ(MissingFeature(With(field), "v2.5.0-beta"), "");
}

TEST(TargetFeatures, FunctionsWouldBeForgotten) {
  CollectionSchema schema;
  schema.functions = {{"bm25", "", 1, {"text"}, {"sv"}, {}}};
  EXPECT_EQ(
      MissingFeature(schema, "v2.4.21"),
      "function 'bm25' (BM25) makes field 'sv', which needs Milvus 2.5; the target is v2.4.21");
  EXPECT_EQ(MissingFeature(schema, "v2.5.15"), "");
}

}  // namespace
}  // namespace cdc
