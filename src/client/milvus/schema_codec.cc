#include "client/milvus/schema_codec.h"

#include <algorithm>
#include <utility>

#include "milvus/common.pb.h"
#include "milvus/schema.pb.h"

namespace cdc {
namespace {

constexpr FieldId kFirstUserField = 100;

}  // namespace

KeyValues KeyValuesFromWire(const google::protobuf::RepeatedPtrField<wire::KeyValue>& wire) {
  KeyValues pairs;
  pairs.reserve(wire.size());
  for (const wire::KeyValue& pair : wire) pairs.emplace_back(pair.key(), pair.value());
  return pairs;
}

void KeyValuesToWire(const KeyValues& pairs,
                     google::protobuf::RepeatedPtrField<wire::KeyValue>* out) {
  for (const auto& [key, value] : pairs) {
    wire::KeyValue* pair = out->Add();
    pair->set_key(key);
    pair->set_value(value);
  }
}

Field FieldFromWire(const wire::FieldSchema& wire) {
  Field field;
  field.id = wire.field_id();
  field.name = wire.name();
  field.description = wire.description();
  field.data_type = wire.data_type();
  field.element_type = wire.element_type();
  field.primary_key = wire.is_primary_key();
  field.auto_id = wire.auto_id();
  field.dynamic = wire.is_dynamic();
  field.partition_key = wire.is_partition_key();
  field.clustering_key = wire.is_clustering_key();
  field.nullable = wire.nullable();
  field.function_output = wire.is_function_output();
  field.type_params = KeyValuesFromWire(wire.type_params());
  field.index_params = KeyValuesFromWire(wire.index_params());
  field.default_value = wire.default_value();
  return field;
}

Function FunctionFromWire(const wire::FunctionSchema& wire) {
  Function function;
  function.name = wire.name();
  function.description = wire.description();
  function.type = wire.type();
  function.inputs.assign(wire.input_field_names().begin(), wire.input_field_names().end());
  function.outputs.assign(wire.output_field_names().begin(), wire.output_field_names().end());
  function.params = KeyValuesFromWire(wire.params());
  return function;
}

bool IsSystemField(const Field& field) {
  return field.id < kFirstUserField && (field.name == "RowID" || field.name == "Timestamp");
}

bool IsDynamicMetaField(const Field& field) {
  return field.dynamic || field.name == "$meta";
}

void AddField(Field field, CollectionSchema* schema) {
  if (IsSystemField(field)) return;
  if (IsDynamicMetaField(field)) {
    schema->enable_dynamic_field = true;
    return;
  }
  // Stable for equal ids: a server that does not number its fields keeps their order.
  const auto at =
      std::upper_bound(schema->fields.begin(), schema->fields.end(), field.id,
                       [](FieldId id, const Field& existing) { return id < existing.id; });
  schema->fields.insert(at, std::move(field));
}

CollectionSchema SchemaFromWire(const wire::CollectionSchema& wire) {
  CollectionSchema schema;
  schema.name = wire.name();
  schema.description = wire.description();
  schema.auto_id = wire.auto_id();
  schema.enable_dynamic_field = wire.enable_dynamic_field();
  for (const wire::FieldSchema& field : wire.fields()) AddField(FieldFromWire(field), &schema);
  for (const wire::FunctionSchema& function : wire.functions()) {
    schema.functions.push_back(FunctionFromWire(function));
  }
  return schema;
}

void SchemaToWire(const CollectionSchema& schema, bool force_auto_id_off,
                  wire::CollectionSchema* out) {
  out->set_name(schema.name);
  out->set_description(schema.description);
  out->set_auto_id(schema.auto_id && !force_auto_id_off);
  out->set_enable_dynamic_field(schema.enable_dynamic_field);
  for (const Field& field : schema.fields) {
    wire::FieldSchema* to = out->add_fields();
    to->set_name(field.name);
    to->set_description(field.description);
    to->set_data_type(field.data_type);
    to->set_element_type(field.element_type);
    to->set_is_primary_key(field.primary_key);
    to->set_auto_id(field.auto_id && !force_auto_id_off);
    to->set_is_partition_key(field.partition_key);
    to->set_is_clustering_key(field.clustering_key);
    to->set_nullable(field.nullable);
    to->set_is_function_output(field.function_output);
    KeyValuesToWire(field.type_params, to->mutable_type_params());
    KeyValuesToWire(field.index_params, to->mutable_index_params());
    to->set_default_value(field.default_value);
  }
  for (const Function& function : schema.functions) {
    wire::FunctionSchema* to = out->add_functions();
    to->set_name(function.name);
    to->set_description(function.description);
    to->set_type(function.type);
    for (const std::string& name : function.inputs) to->add_input_field_names(name);
    for (const std::string& name : function.outputs) to->add_output_field_names(name);
    KeyValuesToWire(function.params, to->mutable_params());
  }
}

}  // namespace cdc
