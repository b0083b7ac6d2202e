// The schema of a collection, free of protocol types. Plain values.
// Numbers of data types are Milvus' own (schema.proto): see DataTypeName.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "model/ids.h"

namespace cdc {

using KeyValues = std::vector<std::pair<std::string, std::string>>;  // in the order of the source

struct Field {
  FieldId id = 0;
  std::string name;
  std::string description;
  int32_t data_type = 0;
  int32_t element_type = 0;  // of an array, else 0
  bool primary_key = false;
  bool auto_id = false;
  bool dynamic = false;  // the hidden $meta JSON field
  bool partition_key = false;
  bool clustering_key = false;
  bool nullable = false;
  bool function_output = false;
  KeyValues type_params;  // dim, max_length, max_capacity, ...
  KeyValues index_params;
  std::string default_value;  // serialized schema.ValueField, empty: none

  bool IsVector() const { return data_type >= 100; }
  bool operator==(const Field&) const = default;
};

// What a Milvus computes by itself from some fields of a row into another (2.5: BM25). The columns
// that it fills are in no insert of the log.
struct Function {
  std::string name;
  std::string description;
  int32_t type = 0;  // 1: BM25
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  KeyValues params;
  bool operator==(const Function&) const = default;
};

struct CollectionSchema {
  std::string name;
  std::string description;
  bool auto_id = false;
  bool enable_dynamic_field = false;
  std::vector<Field> fields;  // user fields only (id >= 100), by id; $meta left out
  std::vector<Function> functions;

  const Field* PrimaryKey() const {
    for (const Field& field : fields) {
      if (field.primary_key) return &field;
    }
    return nullptr;
  }
  const Field* PartitionKey() const {
    for (const Field& field : fields) {
      if (field.partition_key) return &field;
    }
    return nullptr;
  }
  bool operator==(const CollectionSchema&) const = default;
};

// "float16 vector (102)", for messages.
std::string DataTypeName(int32_t data_type);

// Differences that matter for replication (names, types, parameters, keys), one per line, empty
// when rows of `source` fit `target`. Auto-id may differ when `ignore_auto_id` is set.
std::string SchemaDifference(const CollectionSchema& source, const CollectionSchema& target,
                             bool ignore_auto_id);

}  // namespace cdc
