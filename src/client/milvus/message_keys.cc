// Primary keys: out of messages, into deletes.
#include <limits>
#include <optional>

#include "base/format.h"
#include "client/milvus/message_codec.h"
#include "client/milvus/message_fields.h"

namespace cdc {
namespace {

using namespace message_fields;  // NOLINT: the field numbers of these messages

Error Corrupt(const LogId& id, std::string_view what) {
  return CorruptError(Format("message {} of the source's log: {}", ToString(id), what));
}

std::optional<PrimaryKeys> ReadIntegers(std::string_view long_array) {
  std::vector<int64_t> keys;
  WireReader reader(long_array);
  while (reader.Next()) {
    if (reader.field() != kArrayData) continue;
    if (!ForEachVarint(reader, [&](uint64_t key) { keys.push_back(static_cast<int64_t>(key)); })) {
      return std::nullopt;
    }
  }
  if (!reader.ok()) return std::nullopt;
  return keys;
}

std::optional<PrimaryKeys> ReadStrings(std::string_view string_array) {
  std::vector<std::string> keys;
  WireReader reader(string_array);
  while (reader.Next()) {
    if (reader.Is(kArrayData, WireType::kBytes)) keys.emplace_back(reader.bytes());
  }
  if (!reader.ok()) return std::nullopt;
  return keys;
}

// The alternatives of a oneof of arrays: schema.IDs, or the scalars of a column.
std::optional<PrimaryKeys> ReadArrays(std::string_view bytes, uint32_t integers, uint32_t strings) {
  std::optional<PrimaryKeys> keys;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.type() != WireType::kBytes) continue;
    if (reader.field() == integers) keys = ReadIntegers(reader.bytes());
    if (reader.field() == strings) keys = ReadStrings(reader.bytes());
  }
  if (!reader.ok()) return std::nullopt;
  return keys;
}

struct Column {
  int64_t field_id = 0;
  std::string_view name;
  std::string_view scalars;
};

std::optional<Column> ReadColumn(std::string_view bytes) {
  Column column;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(kColumnFieldId, WireType::kVarint)) {
      column.field_id = static_cast<int64_t>(reader.number());
    } else if (reader.Is(kColumnName, WireType::kBytes)) {
      column.name = reader.bytes();
    } else if (reader.Is(kColumnScalars, WireType::kBytes)) {
      column.scalars = reader.bytes();
    }
  }
  if (!reader.ok()) return std::nullopt;
  return column;
}

std::optional<PrimaryKeys> ReadInsertKeys(const Change& change, const TargetAddressOfRows& to) {
  WireReader reader(change.payload.bytes);
  while (reader.Next()) {
    if (!reader.Is(kFieldsData, WireType::kBytes)) continue;
    const std::optional<Column> column = ReadColumn(reader.bytes());
    if (!column) return std::nullopt;
    const bool same = column->field_id != 0 ? column->field_id == to.primary_key
                                            : column->name == to.primary_key_name;
    if (same) return ReadArrays(column->scalars, kScalarLong, kScalarString);
  }
  return std::nullopt;
}

std::optional<PrimaryKeys> ReadDeleteKeys(const Change& change) {
  std::vector<int64_t> legacy;
  std::optional<PrimaryKeys> keys;
  bool good = true;
  WireReader reader(change.payload.bytes);
  while (reader.Next()) {
    if (reader.Is(kPrimaryKeys, WireType::kBytes)) {
      keys = ReadArrays(reader.bytes(), kIdsInteger, kIdsString);
      if (!keys) return std::nullopt;
    } else if (reader.field() == kInt64PrimaryKeys) {
      good = good && ForEachVarint(reader, [&](uint64_t key) {
               legacy.push_back(static_cast<int64_t>(key));
             });
    }
  }
  if (!good) return std::nullopt;
  if (keys && CountOf(*keys) > 0) return keys;
  return legacy;
}

// Other control bytes stay as they are: milvus-lite knows no \x escapes, and both take them raw.
void AppendQuoted(const std::string& key, std::string* out) {
  out->push_back('"');
  for (const char c : key) {
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (c == '\n') {
      out->append("\\n");
    } else if (c == '\t') {
      out->append("\\t");
    } else if (c == '\r') {
      out->append("\\r");
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

}  // namespace

size_t CountOf(const PrimaryKeys& keys) {
  return std::visit([](const auto& all) { return all.size(); }, keys);
}

Result<PrimaryKeys> ReadPrimaryKeys(const Change& change, const TargetAddressOfRows& to) {
  const bool insert = change.kind == ChangeKind::kInsert;
  std::optional<PrimaryKeys> keys = insert ? ReadInsertKeys(change, to) : ReadDeleteKeys(change);
  if (!keys) {
    return Corrupt(change.id, insert ? Format("has no readable primary-key column '{}' (field {})",
                                              to.primary_key_name, to.primary_key)
                                     : "has no readable keys");
  }
  if (CountOf(*keys) != change.num_rows) {
    return Corrupt(change.id, Format("has {} keys for {} rows", CountOf(*keys), change.num_rows));
  }
  return *std::move(keys);
}

std::vector<std::string> DeleteExpressions(const PrimaryKeys& keys, const TargetAddressOfRows& to,
                                           size_t max_bytes) {
  std::vector<std::string> expressions;
  const std::string head = to.primary_key_name + " in [";
  std::string current;
  const auto add = [&](const std::string& literal) {
    if (!current.empty() && current.size() + literal.size() + 2 > max_bytes) {
      expressions.push_back(std::exchange(current, {}) + "]");
    }
    current += current.empty() ? head : ",";
    current += literal;
  };
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&keys)) {
    for (const int64_t key : *integers) {
      // Milvus cannot read the literal of the lowest key, and milvus-lite reads nothing else.
      const bool lowest = key == std::numeric_limits<int64_t>::min() && !to.milvus_lite;
      add(lowest ? std::to_string(key + 1) + "-1" : std::to_string(key));
    }
  } else {
    for (const std::string& key : std::get<std::vector<std::string>>(keys)) {
      std::string literal;
      AppendQuoted(key, &literal);
      add(literal);
    }
  }
  if (!current.empty()) expressions.push_back(current + "]");
  return expressions;
}

}  // namespace cdc
