#include "sink/milvus/merge_rows.h"

#include <algorithm>
#include <utility>

#include "client/milvus/message_codec.h"
#include "client/milvus/message_columns.h"
#include "client/milvus/message_fields.h"

namespace cdc {
namespace {

using namespace message_fields;  // NOLINT: the field numbers of messages and requests

// schema.FieldData
constexpr uint32_t kType = 1, kName = 2, kScalars = 3, kVectors = 4, kFieldId = 5, kIsDynamic = 6,
                   kValidData = 7;
// schema.VectorField
constexpr uint32_t kDim = 1, kSparseVector = 6, kInt8Vector = 7;
// schema.SparseFloatArray
constexpr uint32_t kContents = 1, kSparseDim = 2;

// A column in one piece: copied only if it is not.
Slice Contiguous(const Slices& column) {
  if (column.pieces().size() == 1) return column.pieces().front();
  return Slice::Own(column.Join());
}

Slices Framed(uint32_t field, const Slices& content) {
  WireWriter header;
  header.BytesHeader(field, content.size());
  Slices out;
  out.Append(header.Take());
  out.Append(content);
  return out;
}

Slices Framed(uint32_t field, const std::vector<Slice>& pieces) {
  Slices content;
  for (const Slice& piece : pieces) content.Append(piece.owner, piece.bytes);
  return Framed(field, content);
}

Slices FramedSparse(const std::vector<Slice>& rows, uint64_t dim) {
  WireWriter last;
  if (dim != 0) last.Varint(kSparseDim, dim);
  std::vector<Slice> content = rows;
  content.push_back(Slice::Own(last.Take()));
  return Framed(kSparseVector, content);
}

// Of rows whose message does not say which are null: none is.
Slice AllValid(uint64_t rows) {
  return Slice::Own(std::string(rows, '\1'));
}

}  // namespace

bool MergedRows::ReadValues(uint32_t outer, std::string_view bytes) {
  if (part_.outer != 0 && part_.outer != outer) return false;
  part_.outer = outer;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (outer == kVectors && reader.Is(kDim, WireType::kVarint)) {
      if (part_.dim != 0 && part_.dim != reader.number()) return false;
      part_.dim = reader.number();
      continue;
    }
    if (reader.type() != WireType::kBytes) return false;
    if (part_.inner != 0 && part_.inner != reader.field()) return false;
    if (outer == kVectors && reader.field() > kInt8Vector) return false;
    part_.inner = reader.field();
    if (outer == kVectors && reader.field() == kSparseVector) {
      if (!ReadSparse(reader.bytes())) return false;
      continue;
    }
    // Arrays are messages with one repeated field: their bytes, one behind another, are one array.
    // Binary, 8-bit and 16-bit vectors are plain bytes, for which the same holds.
    part_.values.push_back(reader.bytes());
  }
  return reader.ok();
}

// Sparse vectors are an array as well, but for the dimension of the largest behind them.
bool MergedRows::ReadSparse(std::string_view bytes) {
  std::string_view rows;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(kSparseDim, WireType::kVarint)) {
      part_.sparse_dim = std::max(part_.sparse_dim, reader.number());
      continue;
    }
    if (!reader.Is(kContents, WireType::kBytes)) return false;
    const std::string_view row = reader.raw();
    if (!rows.empty() && rows.data() + rows.size() == row.data()) {
      rows = {rows.data(), rows.size() + row.size()};
      continue;
    }
    if (!rows.empty()) part_.values.push_back(rows);
    rows = row;
  }
  if (!rows.empty()) part_.values.push_back(rows);
  return reader.ok();
}

bool MergedRows::Read(std::string_view bytes) {
  part_.type = part_.field_id = part_.dim = part_.sparse_dim = part_.valid_rows = 0;
  part_.outer = part_.inner = 0;
  part_.dynamic = false;
  part_.name = {};
  part_.values.clear();
  part_.valid.clear();
  WireReader reader(bytes);
  while (reader.Next()) {
    switch (reader.field()) {
      case kType:
        part_.type = reader.number();
        break;
      case kName:
        part_.name = reader.bytes();
        break;
      case kFieldId:
        part_.field_id = reader.number();
        break;
      case kIsDynamic:
        part_.dynamic = reader.number() != 0;
        break;
      case kScalars:
      case kVectors:
        if (!ReadValues(reader.field(), reader.bytes())) return false;
        break;
      case kValidData:
        if (reader.type() != WireType::kBytes) return false;
        part_.valid.push_back(reader.bytes());
        part_.valid_rows += reader.bytes().size();  // a byte each
        break;
      default:
        return false;
    }
  }
  return reader.ok();
}

// The column that `part_` belongs to: of a first change a new one. nullptr: there is none, or it is
// of another kind.
MergedRows::Column* MergedRows::Find(size_t expected) {
  if (changes_ == 0) {
    for (const Column& column : columns_) {
      if (column.name == part_.name) return nullptr;
    }
    Column& column = columns_.emplace_back();
    column.type = part_.type;
    column.name = part_.name;
    column.field_id = part_.field_id;
    column.dynamic = part_.dynamic;
    return &column;
  }
  // Messages of a collection have their columns in one order.
  for (size_t i = 0; i < columns_.size(); ++i) {
    Column& column = columns_[(expected + i) % columns_.size()];
    if (column.name != part_.name) continue;
    const Extent& now = column.now;
    const bool sparse = part_.outer == kVectors && part_.inner == kSparseVector;
    const bool same = column.type == part_.type && now.changes == changes_ &&
                      (now.outer == 0 || part_.outer == 0 || now.outer == part_.outer) &&
                      (now.inner == 0 || part_.inner == 0 || now.inner == part_.inner) &&
                      (now.dim == 0 || part_.dim == 0 || now.dim == part_.dim || sparse);
    return same ? &column : nullptr;
  }
  return nullptr;
}

bool MergedRows::AddColumn(const Slice& bytes, size_t expected, uint64_t rows) {
  if (!Read(bytes.bytes)) return false;
  if (!part_.valid.empty() && part_.valid_rows != rows) return false;
  Column* column = Find(expected);
  if (column == nullptr) return false;
  Extent& now = column->now;
  if (part_.outer != 0) now.outer = part_.outer;
  if (part_.inner != 0) now.inner = part_.inner;
  now.dim = std::max(now.dim, part_.dim);
  now.sparse_dim = std::max(now.sparse_dim, part_.sparse_dim);
  for (const std::string_view piece : part_.values) column->values.push_back({bytes.owner, piece});
  if (!part_.valid.empty()) {
    if (now.valid_rows < now.rows) column->valid.push_back(AllValid(now.rows - now.valid_rows));
    for (const std::string_view piece : part_.valid) column->valid.push_back({bytes.owner, piece});
    now.valid_rows = now.rows + rows;
  }
  now.values = column->values.size();
  now.valid = column->valid.size();
  now.rows += rows;
  ++now.changes;
  return true;
}

// In the form of the log nothing else of the message may be lost in a joined one.
bool MergedRows::AddColumns(const Change& change) {
  const bool log = form_ == RowsForm::kLog;
  size_t seen = 0;
  uint64_t row_ids = 0, version = 0;
  WireReader reader(change.payload.bytes);
  while (reader.Next()) {
    if (reader.Is(kFieldsData, WireType::kBytes)) {
      const Slice column =
          log ? Slice{change.payload.owner, reader.bytes()}
              : Contiguous(RequestColumn(change.payload, reader.bytes(), change.num_rows, *to_));
      if (!AddColumn(column, seen++, change.num_rows)) return false;
      continue;
    }
    if (!log) continue;
    if (reader.field() > kInsertVersion || reader.field() == kRowData) return false;
    if (reader.field() == kInsertVersion) version = reader.number();
    if (reader.field() != kRowIds) continue;
    if (!ForEachVarint(reader, [&](uint64_t) { ++row_ids; })) return false;
  }
  if (changes_ == 0) version_ = version;
  const bool whole = !log || (row_ids == change.num_rows && version == version_);
  return reader.ok() && seen == columns_.size() && whole;
}

void MergedRows::Undo(size_t changes) {
  changes_ = changes;
  if (changes == 0) columns_.clear();
  for (Column& column : columns_) {
    column.now = column.kept;
    column.values.resize(column.kept.values);
    column.valid.resize(column.kept.valid);
  }
}

bool MergedRows::Add(std::span<const Change* const> changes) {
  if (!joinable_) return false;
  const size_t before = changes_;
  if (before == 0) first_ = changes.front();
  for (const Change* change : changes) {
    if (!AddColumns(*change)) {
      Undo(before);
      if (before > 0 || changes.size() > 1) return false;
      joinable_ = false;
    }
    ++changes_;
  }
  for (Column& column : columns_) column.kept = column.now;
  for (const Change* change : changes) {
    rows_ += change->num_rows;
    bytes_ += change->payload.bytes.size();
  }
  return true;
}

Slices MergedRows::Encode(const Column& column) {
  WireWriter head;
  head.Varint(kType, column.type);
  head.Bytes(kName, column.name);
  if (column.field_id != 0) head.Varint(kFieldId, column.field_id);
  if (column.dynamic || column.name == "$meta") head.Varint(kIsDynamic, 1);
  Slices out;
  out.Append(head.Take());
  if (column.now.outer != 0) {
    Slices values;
    if (column.now.dim != 0) {
      WireWriter dim;
      dim.Varint(kDim, column.now.dim);
      values.Append(dim.Take());
    }
    if (column.now.outer == kVectors && column.now.inner == kSparseVector) {
      values.Append(FramedSparse(column.values, column.now.sparse_dim));
    } else if (column.now.inner != 0) {
      values.Append(Framed(column.now.inner, column.values));
    }
    out.Append(Framed(column.now.outer, values));
  }
  if (column.now.valid_rows != 0) {
    std::vector<Slice> valid = column.valid;
    if (column.now.valid_rows < column.now.rows) {
      valid.push_back(AllValid(column.now.rows - column.now.valid_rows));
    }
    out.Append(Framed(kValidData, valid));
  }
  return out;
}

std::vector<Slices> MergedRows::Columns() const {
  std::vector<Slices> all;
  all.reserve(columns_.size());
  for (const Column& column : columns_) all.push_back(Encode(column));
  return all;
}

Slices MergedRows::Request(RowsCall call) const {
  if (changes_ == 1) {
    return call == RowsCall::kInsert ? InsertRequest(*first_, *to_) : UpsertRequest(*first_, *to_);
  }
  WireWriter base;
  base.Varint(kBaseMsgType, call == RowsCall::kInsert ? kMsgInsert : kMsgUpsert);
  WireWriter head;
  head.Bytes(kBase, base.str());
  head.Bytes(kRequestDbName, to_->name.database);
  head.Bytes(kRequestCollectionName, to_->name.collection);
  if (!to_->partition_key && !to_->partition.empty())
    head.Bytes(kRequestPartitionName, to_->partition);
  head.Varint(kRequestNumRows, rows_);
  Slices out;
  out.Append(head.Take());
  for (const Column& column : columns_) out.Append(Framed(kRequestFieldsData, Encode(column)));
  return out;
}

}  // namespace cdc
