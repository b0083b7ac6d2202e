#include "sink/milvus/merge_rows.h"

#include <map>
#include <string>

#include "client/milvus/message_codec.h"
#include "client/milvus/message_columns.h"

namespace cdc {
namespace {

// msg.InsertRequest and milvus.InsertRequest (UpsertRequest has the same numbers)
constexpr uint32_t kLogFieldsData = 13;
constexpr uint32_t kBase = 1, kDbName = 2, kCollectionName = 3, kPartitionName = 4, kFieldsData = 5,
                   kNumRows = 7;
constexpr uint64_t kMsgInsert = 400, kMsgUpsert = 404;
// schema.FieldData
constexpr uint32_t kType = 1, kName = 2, kScalars = 3, kVectors = 4, kFieldId = 5, kIsDynamic = 6,
                   kValidData = 7;
// schema.VectorField
constexpr uint32_t kDim = 1, kBfloat16Vector = 5;

using Owner = std::shared_ptr<const void>;

// One column: its description and the pieces of its values, in row order.
struct Column {
  uint64_t type = 0;
  std::string name;
  uint64_t field_id = 0;
  bool dynamic = false;
  uint64_t dim = 0;
  uint32_t outer = 0;  // kScalars or kVectors; 0: no values
  uint32_t inner = 0;  // which kind of array
  Slices values;
  Slices valid;
  size_t parts = 0;
  size_t valid_parts = 0;
};

bool ReadValues(const Owner& owner, uint32_t outer, std::string_view bytes, Column* column) {
  if (column->outer != 0 && column->outer != outer) return false;
  column->outer = outer;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (outer == kVectors && reader.Is(kDim, WireType::kVarint)) {
      if (column->dim != 0 && column->dim != reader.number()) return false;
      column->dim = reader.number();
      continue;
    }
    if (reader.type() != WireType::kBytes) return false;
    if (column->inner != 0 && column->inner != reader.field()) return false;
    if (outer == kVectors && reader.field() > kBfloat16Vector) return false;
    column->inner = reader.field();
    // Arrays are messages with one repeated field: their bytes, one behind another, are one array.
    // Binary and 16-bit vectors are plain bytes, for which the same holds.
    column->values.Append(owner, reader.bytes());
  }
  return reader.ok();
}

bool ReadColumn(const Owner& owner, std::string_view bytes, Column* column) {
  WireReader reader(bytes);
  while (reader.Next()) {
    switch (reader.field()) {
      case kType:
        column->type = reader.number();
        break;
      case kName:
        column->name = reader.bytes();
        break;
      case kFieldId:
        column->field_id = reader.number();
        break;
      case kIsDynamic:
        column->dynamic = reader.number() != 0;
        break;
      case kScalars:
      case kVectors:
        if (!ReadValues(owner, reader.field(), reader.bytes(), column)) return false;
        break;
      case kValidData:
        if (reader.type() != WireType::kBytes) return false;
        column->valid.Append(owner, reader.bytes());
        ++column->valid_parts;
        break;
      default:
        return false;
    }
  }
  ++column->parts;
  return reader.ok();
}

// Columns by name, those of the first change in its order.
struct Columns {
  std::vector<Column> list;
  std::map<std::string, size_t, std::less<>> index;
};

// A column in one piece: copied only if it is not.
Slice Contiguous(const Slices& column) {
  if (column.pieces().size() == 1) return column.pieces().front();
  return Slice::Own(column.Join());
}

bool AddRows(const Change& change, const TargetAddressOfRows& to, bool first, Columns* columns) {
  size_t seen = 0;
  WireReader reader(change.payload.bytes);
  while (reader.Next()) {
    if (!reader.Is(kLogFieldsData, WireType::kBytes)) continue;
    std::string_view name;
    WireReader peek(reader.bytes());
    while (peek.Next()) {
      if (peek.Is(kName, WireType::kBytes)) name = peek.bytes();
    }
    auto it = columns->index.find(name);
    if (it == columns->index.end()) {
      if (!first) return false;
      it = columns->index.emplace(std::string(name), columns->list.size()).first;
      columns->list.emplace_back();
    }
    const auto [owner, column] =
        Contiguous(RequestColumn(change.payload, reader.bytes(), change.num_rows, to));
    if (!ReadColumn(owner, column, &columns->list[it->second])) return false;
    ++seen;
  }
  return reader.ok() && seen == columns->list.size();
}

Slices Framed(uint32_t field, const Slices& content) {
  WireWriter header;
  header.BytesHeader(field, content.size());
  Slices out;
  out.Append(header.Take());
  out.Append(content);
  return out;
}

Slices EncodeColumn(const Column& column) {
  WireWriter head;
  head.Varint(kType, column.type);
  head.Bytes(kName, column.name);
  if (column.field_id != 0) head.Varint(kFieldId, column.field_id);
  if (column.dynamic || column.name == "$meta") head.Varint(kIsDynamic, 1);
  Slices out;
  out.Append(head.Take());
  if (column.outer != 0) {
    Slices values;
    if (column.dim != 0) {
      WireWriter dim;
      dim.Varint(kDim, column.dim);
      values.Append(dim.Take());
    }
    if (column.inner != 0) values.Append(Framed(column.inner, column.values));
    out.Append(Framed(column.outer, values));
  }
  if (column.valid_parts != 0) out.Append(Framed(kValidData, column.valid));
  return out;
}

}  // namespace

std::optional<Slices> MergedRowsRequest(RowsCall call, const std::vector<const Change*>& changes,
                                        const TargetAddressOfRows& to) {
  if (changes.size() == 1) {
    return call == RowsCall::kInsert ? InsertRequest(*changes[0], to)
                                     : UpsertRequest(*changes[0], to);
  }
  Columns columns;
  uint64_t rows = 0;
  for (size_t i = 0; i < changes.size(); ++i) {
    if (!AddRows(*changes[i], to, i == 0, &columns)) return std::nullopt;
    rows += changes[i]->num_rows;
  }
  for (const Column& column : columns.list) {
    if (column.parts != changes.size()) return std::nullopt;
    if (column.valid_parts != 0 && column.valid_parts != changes.size()) return std::nullopt;
  }
  WireWriter base;
  base.Varint(1, call == RowsCall::kInsert ? kMsgInsert : kMsgUpsert);
  WireWriter head;
  head.Bytes(kBase, base.str());
  head.Bytes(kDbName, to.name.database);
  head.Bytes(kCollectionName, to.name.collection);
  if (!to.partition_key && !to.partition.empty()) head.Bytes(kPartitionName, to.partition);
  head.Varint(kNumRows, rows);
  Slices out;
  out.Append(head.Take());
  for (const Column& column : columns.list) out.Append(Framed(kFieldsData, EncodeColumn(column)));
  return out;
}

}  // namespace cdc
