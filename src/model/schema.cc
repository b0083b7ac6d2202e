#include "model/schema.h"

#include <algorithm>

#include "base/format.h"

namespace cdc {
namespace {

const char* NameOf(int32_t data_type) {
  switch (data_type) {
    case 1:
      return "bool";
    case 2:
      return "int8";
    case 3:
      return "int16";
    case 4:
      return "int32";
    case 5:
      return "int64";
    case 10:
      return "float";
    case 11:
      return "double";
    case 20:
    case 21:
      return "varchar";
    case 22:
      return "array";
    case 23:
      return "JSON";
    case 100:
      return "binary vector";
    case 101:
      return "float vector";
    case 102:
      return "float16 vector";
    case 103:
      return "bfloat16 vector";
    case 104:
      return "sparse vector";
    case 105:
      return "int8 vector";
    default:
      return "type";
  }
}

void Compare(const char* what, const std::string& field, const auto& source, const auto& target,
             std::string* out) {
  if (source == target) return;
  *out +=
      Format("field '{}': {} is {} at the source, {} at the target\n", field, what, source, target);
}

}  // namespace

std::string DataTypeName(int32_t data_type) {
  return Format("{} ({})", NameOf(data_type), data_type);
}

std::string SchemaDifference(const CollectionSchema& source, const CollectionSchema& target,
                             bool ignore_auto_id) {
  std::string out;
  for (const Field& field : source.fields) {
    const auto other = std::find_if(target.fields.begin(), target.fields.end(),
                                    [&](const Field& f) { return f.name == field.name; });
    if (other == target.fields.end()) {
      out += Format("field '{}' is missing at the target\n", field.name);
      continue;
    }
    Compare("type", field.name, DataTypeName(field.data_type), DataTypeName(other->data_type),
            &out);
    Compare("element type", field.name, field.element_type, other->element_type, &out);
    Compare("primary key", field.name, field.primary_key, other->primary_key, &out);
    Compare("partition key", field.name, field.partition_key, other->partition_key, &out);
    Compare("nullable", field.name, field.nullable, other->nullable, &out);
    Compare("function output", field.name, field.function_output, other->function_output, &out);
    // One that only one side names is no difference: milvus-lite forgets limits of arrays.
    for (const auto& [key, value] : field.type_params) {
      for (const auto& [other_key, other_value] : other->type_params) {
        if (key == other_key) Compare(key.c_str(), field.name, value, other_value, &out);
      }
    }
    if (!ignore_auto_id) Compare("autoID", field.name, field.auto_id, other->auto_id, &out);
  }
  for (const Field& field : target.fields) {
    const bool known = std::any_of(source.fields.begin(), source.fields.end(),
                                   [&](const Field& f) { return f.name == field.name; });
    if (!known) out += Format("field '{}' is missing at the source\n", field.name);
  }
  if (source.enable_dynamic_field != target.enable_dynamic_field) {
    out += Format("enable_dynamic_field is {} at the source, {} at the target\n",
                  source.enable_dynamic_field, target.enable_dynamic_field);
  }
  return out;
}

}  // namespace cdc
