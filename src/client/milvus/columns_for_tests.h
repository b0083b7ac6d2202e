// Requests with rows as protobuf itself reads and merges them, for tests: all kinds of columns,
// which the trimmed proto/milvus leaves out. Field numbers: Milvus' schema.proto, of the Python
// client 3.0.2. Not part of the product.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>

namespace cdc::columns_for_tests {

namespace pb = google::protobuf;

struct FieldOf {
  const char* message;
  const char* name;
  int number;
  const char* type;  // of protobuf, or another message
  bool repeated = false;
};

inline constexpr FieldOf kFields[] = {
    {"Bools", "data", 1, "bool", true},
    {"Ints", "data", 1, "int32", true},
    {"Longs", "data", 1, "int64", true},
    {"Floats", "data", 1, "float", true},
    {"Doubles", "data", 1, "double", true},
    {"Strings", "data", 1, "bytes", true},
    {"Arrays", "data", 1, "Scalars", true},
    {"Arrays", "element_type", 2, "int32"},
    {"Scalars", "bool_data", 1, "Bools"},
    {"Scalars", "int_data", 2, "Ints"},
    {"Scalars", "long_data", 3, "Longs"},
    {"Scalars", "float_data", 4, "Floats"},
    {"Scalars", "double_data", 5, "Doubles"},
    {"Scalars", "string_data", 6, "Strings"},
    {"Scalars", "bytes_data", 7, "Strings"},
    {"Scalars", "array_data", 8, "Arrays"},
    {"Scalars", "json_data", 9, "Strings"},
    {"Sparse", "contents", 1, "bytes", true},
    {"Sparse", "dim", 2, "int64"},
    {"Vectors", "dim", 1, "int64"},
    {"Vectors", "float_vector", 2, "Floats"},
    {"Vectors", "binary_vector", 3, "bytes"},
    {"Vectors", "float16_vector", 4, "bytes"},
    {"Vectors", "bfloat16_vector", 5, "bytes"},
    {"Vectors", "sparse_float_vector", 6, "Sparse"},
    {"Vectors", "int8_vector", 7, "bytes"},
    {"FieldData", "type", 1, "int32"},
    {"FieldData", "field_name", 2, "bytes"},
    {"FieldData", "scalars", 3, "Scalars"},
    {"FieldData", "vectors", 4, "Vectors"},
    {"FieldData", "field_id", 5, "int64"},
    {"FieldData", "is_dynamic", 6, "bool"},
    {"FieldData", "valid_data", 7, "bool", true},
    {"Request", "fields_data", 5, "FieldData", true},
    {"Request", "num_rows", 7, "uint32"},
};

inline pb::FileDescriptorProto Schema() {
  pb::FileDescriptorProto file;
  file.set_name("columns.proto");
  file.set_syntax("proto3");
  std::map<std::string, pb::DescriptorProto*> messages;
  for (const FieldOf& of : kFields) {
    pb::DescriptorProto*& message = messages[of.message];
    if (message == nullptr) message = file.add_message_type();
    message->set_name(of.message);
    pb::FieldDescriptorProto* field = message->add_field();
    field->set_name(of.name);
    field->set_number(of.number);
    field->set_label(of.repeated ? pb::FieldDescriptorProto::LABEL_REPEATED
                                 : pb::FieldDescriptorProto::LABEL_OPTIONAL);
    const std::map<std::string, pb::FieldDescriptorProto::Type> plain = {
        {"bool", pb::FieldDescriptorProto::TYPE_BOOL},
        {"int32", pb::FieldDescriptorProto::TYPE_INT32},
        {"int64", pb::FieldDescriptorProto::TYPE_INT64},
        {"uint32", pb::FieldDescriptorProto::TYPE_UINT32},
        {"float", pb::FieldDescriptorProto::TYPE_FLOAT},
        {"double", pb::FieldDescriptorProto::TYPE_DOUBLE},
        {"bytes", pb::FieldDescriptorProto::TYPE_BYTES}};
    if (const auto at = plain.find(of.type); at != plain.end()) {
      field->set_type(at->second);
    } else {
      field->set_type_name(of.type);
    }
  }
  return file;
}

// A request by what it holds of rows.
class Columns {
 public:
  explicit Columns(const std::string& request) : message_(Prototype()->New()) {
    parsed_ = message_->ParseFromString(request);
    message_->DiscardUnknownFields();  // names
  }
  bool parsed() const { return parsed_; }
  std::string Text() const { return message_->DebugString(); }

  // Appends the rows of `more`, which has the same columns, as a client would.
  void Append(const Columns& more) {
    const auto* rows = Field(*message_, "num_rows");
    const auto* columns = Field(*message_, "fields_data");
    const uint32_t before = Reflect(*message_)->GetUInt32(*message_, rows);
    const uint32_t added = Reflect(*more.message_)->GetUInt32(*more.message_, rows);
    Reflect(*message_)->SetUInt32(message_.get(), rows, before + added);
    for (int i = 0; i < Reflect(*message_)->FieldSize(*message_, columns); ++i) {
      AppendColumn(Reflect(*message_)->MutableRepeatedMessage(message_.get(), columns, i), before,
                   Reflect(*more.message_)->GetRepeatedMessage(*more.message_, columns, i), added);
    }
  }

 private:
  static const pb::Message* Prototype() {
    static pb::DescriptorPool pool;
    static pb::DynamicMessageFactory factory(&pool);
    static const pb::Message* const prototype = [] {
      return factory.GetPrototype(pool.BuildFile(Schema())->FindMessageTypeByName("Request"));
    }();
    return prototype;
  }
  static const pb::Reflection* Reflect(const pb::Message& message) {
    return message.GetReflection();
  }
  static const pb::FieldDescriptor* Field(const pb::Message& message, const char* name) {
    return message.GetDescriptor()->FindFieldByName(name);
  }

  static void AppendColumn(pb::Message* column, uint32_t rows, const pb::Message& more,
                           uint32_t more_rows) {
    const auto* valid = Field(*column, "valid_data");
    const bool told = Reflect(*column)->FieldSize(*column, valid) > 0;
    const bool more_told = Reflect(more)->FieldSize(more, valid) > 0;
    const auto all_valid = [&](uint32_t count) {
      for (uint32_t i = 0; i < count; ++i) Reflect(*column)->AddBool(column, valid, true);
    };
    if (!told && more_told) all_valid(rows);
    const auto* vectors = Field(*column, "vectors");
    const pb::Message& a = Reflect(*column)->GetMessage(*column, vectors);
    const pb::Message& b = Reflect(more)->GetMessage(more, vectors);
    const std::unique_ptr<pb::Message> joined(a.New());
    joined->CopyFrom(a);
    joined->MergeFrom(b);
    MergeWhatReplaces(a, b, joined.get());
    const bool has_vectors = Reflect(more)->HasField(more, vectors);
    column->MergeFrom(more);
    if (has_vectors) Reflect(*column)->MutableMessage(column, vectors)->CopyFrom(*joined);
    if (told && !more_told) all_valid(more_rows);
  }
  // In MergeFrom singular fields replace each other.
  static void MergeWhatReplaces(const pb::Message& a, const pb::Message& b, pb::Message* joined) {
    for (const char* name : {"binary_vector", "float16_vector", "bfloat16_vector", "int8_vector"}) {
      const auto* field = Field(a, name);
      if (!Reflect(a)->HasField(a, field)) continue;
      Reflect(*joined)->SetString(
          joined, field, Reflect(a)->GetString(a, field) + Reflect(b)->GetString(b, field));
    }
    TakeLargerDim(a, b, joined);
    const auto* sparse = Field(a, "sparse_float_vector");
    if (!Reflect(a)->HasField(a, sparse)) return;
    TakeLargerDim(Reflect(a)->GetMessage(a, sparse), Reflect(b)->GetMessage(b, sparse),
                  Reflect(*joined)->MutableMessage(joined, sparse));
  }
  static void TakeLargerDim(const pb::Message& a, const pb::Message& b, pb::Message* joined) {
    const auto* dim = Field(a, "dim");
    Reflect(*joined)->SetInt64(
        joined, dim, std::max(Reflect(a)->GetInt64(a, dim), Reflect(b)->GetInt64(b, dim)));
  }

  std::unique_ptr<pb::Message> message_;
  bool parsed_ = false;
};

}  // namespace cdc::columns_for_tests
