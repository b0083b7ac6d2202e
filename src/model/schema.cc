#include "model/schema.h"

#include <algorithm>

#include "base/format.h"

namespace cdc {
namespace {

void Compare(const char* what, const std::string& field, const auto& source, const auto& target,
             std::string* out) {
  if (source == target) return;
  *out +=
      Format("field '{}': {} is {} at the source, {} at the target\n", field, what, source, target);
}

}  // namespace

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
    Compare("type", field.name, field.data_type, other->data_type, &out);
    Compare("element type", field.name, field.element_type, other->element_type, &out);
    Compare("primary key", field.name, field.primary_key, other->primary_key, &out);
    Compare("partition key", field.name, field.partition_key, other->partition_key, &out);
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
