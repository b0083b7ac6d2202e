#include "client/milvus/message_columns.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "client/milvus/message_fields.h"

namespace cdc {
namespace {

using namespace message_fields;  // NOLINT: the field numbers of these messages

// What decides how a column travels.
struct Traits {
  FieldId field_id = 0;
  std::string_view name;
  bool dynamic = false;
  bool scalars = false;
  std::vector<bool> valid;  // of each row, where the column says so
  size_t nulls = 0;
};

std::optional<Traits> Read(std::string_view column) {
  Traits traits;
  WireReader reader(column);
  while (reader.Next()) {
    switch (reader.field()) {
      case kColumnName:
        traits.name = reader.bytes();
        break;
      case kColumnScalars:
        traits.scalars = true;
        break;
      case kColumnFieldId:
        traits.field_id = static_cast<FieldId>(reader.number());
        break;
      case kColumnIsDynamic:
        traits.dynamic = reader.number() != 0;
        break;
      case kColumnValidData: {
        const bool good = ForEachVarint(reader, [&](uint64_t valid) {
          traits.valid.push_back(valid != 0);
          if (valid == 0) ++traits.nulls;
        });
        if (!good) return std::nullopt;
        break;
      }
      default:
        break;
    }
  }
  if (!reader.ok()) return std::nullopt;
  return traits;
}

// The elements of a packed field that are of a fixed size, or varints where `size` is 0.
bool KeepPacked(std::string_view packed, size_t size, const std::vector<bool>& valid, size_t* row,
                WireWriter* out) {
  size_t at = 0;
  while (at < packed.size()) {
    const size_t begin = at;
    uint64_t ignored = 0;
    if (size == 0) {
      if (!ReadVarint(packed, &at, &ignored)) return false;
    } else {
      if (packed.size() - at < size) return false;
      at += size;
    }
    if (*row >= valid.size()) return false;
    if (valid[(*row)++]) out->Raw(packed.substr(begin, at - begin));
  }
  return true;
}

size_t SizeOfElement(uint32_t kind) {
  if (kind == kScalarFloat) return 4;
  return kind == kScalarDouble ? 8 : 0;
}

// An array of one kind of scalars without its null rows. nullopt: it is not one value a row.
std::optional<std::string> Compact(uint32_t kind, std::string_view array,
                                   const std::vector<bool>& valid) {
  const bool packed = kind <= kScalarDouble;
  WireWriter values;
  WireWriter out;
  size_t row = 0;
  WireReader reader(array);
  while (reader.Next()) {
    if (reader.field() != kArrayData) {
      out.Raw(reader.raw());  // what the elements of arrays are
      continue;
    }
    if (reader.type() != WireType::kBytes) return std::nullopt;
    if (packed) {
      if (!KeepPacked(reader.bytes(), SizeOfElement(kind), valid, &row, &values)) {
        return std::nullopt;
      }
      continue;
    }
    if (row >= valid.size()) return std::nullopt;
    if (valid[row++]) out.Raw(reader.raw());
  }
  if (!reader.ok() || row != valid.size()) return std::nullopt;
  if (values.size() > 0) out.Bytes(kArrayData, values.str());
  return out.Take();
}

// The column with its null rows left out. nullopt: it is no scalar column of the log's form.
std::optional<std::string> WithoutNulls(std::string_view column, const std::vector<bool>& valid) {
  WireWriter out;
  size_t arrays = 0;
  WireReader reader(column);
  while (reader.Next()) {
    if (!reader.Is(kColumnScalars, WireType::kBytes)) {
      out.Raw(reader.raw());
      continue;
    }
    WireWriter scalars;
    WireReader kinds(reader.bytes());
    while (kinds.Next()) {
      if (kinds.type() != WireType::kBytes || ++arrays > 1) return std::nullopt;
      const auto compact = Compact(kinds.field(), kinds.bytes(), valid);
      if (!compact) return std::nullopt;
      scalars.Bytes(kinds.field(), *compact);
    }
    if (!kinds.ok()) return std::nullopt;
    out.Bytes(kColumnScalars, scalars.str());
  }
  return out.Take();
}

bool Contains(const std::vector<FieldId>& ids, FieldId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

Slices RequestColumn(const Slice& payload, std::string_view column, uint64_t rows,
                     const TargetAddressOfRows& to) {
  Slices out;
  const std::optional<Traits> traits = Read(column);
  if (!traits) {
    out.Append(payload.owner, column);
    return out;
  }
  std::optional<std::string> compact;
  if (traits->scalars && traits->nulls > 0 && traits->valid.size() == rows) {
    compact = WithoutNulls(column, traits->valid);
  }
  if (compact) {
    out.Append(*std::move(compact));
  } else {
    out.Append(payload.owner, column);
  }
  WireWriter added;
  if (traits->name == kDynamicFieldName && !traits->dynamic) added.Varint(kColumnIsDynamic, 1);
  if (traits->scalars && traits->valid.empty() && Contains(to.with_default, traits->field_id)) {
    added.PackedRepeat(kColumnValidData, 1, rows);
  }
  out.Append(added.Take());
  return out;
}

}  // namespace cdc
