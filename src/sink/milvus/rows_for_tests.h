// Hand-made rows as a source's log holds them, for tests and checks. Not part of the product.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/wire.h"
#include "client/milvus/message_codec.h"
#include "model/change.h"

namespace cdc::rows_for_tests {

// A collection of these rows: "id" int64 key (field 100), "v" float vector of 4 (field 101), "t"
// varchar (field 102). v and t follow from the key, so that anybody can check them.
inline constexpr FieldId kKeyField = 100;
inline constexpr FieldId kVectorField = 101;
inline constexpr FieldId kTextField = 102;

inline std::string Floats(const std::vector<int64_t>& keys) {
  std::string bytes;
  for (const int64_t key : keys) {
    for (int i = 0; i < 4; ++i) {
      const float value = static_cast<float>(key) + static_cast<float>(i) / 4;
      bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
  }
  return bytes;
}

inline std::string Nested(uint32_t field, const std::string& content) {
  WireWriter out;
  out.Bytes(field, content);
  return out.Take();
}

inline std::string Column(int type, const std::string& name, FieldId id, std::string values) {
  WireWriter out;
  out.Varint(1, static_cast<uint64_t>(type));
  out.Bytes(2, name);
  out.Raw(values);
  out.Varint(5, static_cast<uint64_t>(id));
  return out.Take();
}

inline std::string Base(uint64_t type, int64_t msg_id, Timestamp ts) {
  WireWriter out;
  out.Varint(1, type);
  out.Varint(2, static_cast<uint64_t>(msg_id));
  out.Varint(3, ts);
  return out.Take();
}

inline Change Decoded(std::string payload) {
  return *DecodeMessage(LogId{0, 1}, Slice::Own(std::move(payload)));
}

inline Change Insert(const std::vector<int64_t>& keys, Timestamp ts, PartitionId partition,
                     const std::string& text = "t") {
  std::string packed_keys, texts;
  WireWriter numbers, row_ids;
  for (const int64_t key : keys) {
    numbers.RawVarint(static_cast<uint64_t>(key));
    texts += Nested(1, text + std::to_string(key));
  }
  WireWriter out;
  out.Bytes(1, Base(400, static_cast<int64_t>(ts % 1000003) + keys.front(), ts));
  out.Bytes(2, "src-dml_0_7v0");
  out.Bytes(4, "source");
  out.Varint(7, 7);
  out.Varint(8, static_cast<uint64_t>(partition));
  out.Varint(9, 99);
  out.PackedRepeat(10, ts, keys.size());
  out.Bytes(11, numbers.str());
  out.Bytes(13, Column(5, "id", kKeyField, Nested(3, Nested(3, Nested(1, numbers.str())))));
  std::string vector = "\x08\x04" + Nested(2, Nested(1, Floats(keys)));
  out.Bytes(13, Column(101, "v", kVectorField, Nested(4, vector)));
  out.Bytes(13, Column(21, "t", kTextField, Nested(3, Nested(6, texts))));
  out.Varint(14, keys.size());
  out.Varint(15, 1);
  return Decoded(out.Take());
}

inline Change Delete(const std::vector<int64_t>& keys, Timestamp ts, PartitionId partition) {
  WireWriter numbers;
  for (const int64_t key : keys) numbers.RawVarint(static_cast<uint64_t>(key));
  WireWriter out;
  out.Bytes(1, Base(401, static_cast<int64_t>(ts % 1000003) + keys.front() + 500000, ts));
  out.Bytes(2, "src-dml_0_7v0");
  out.Bytes(4, "source");
  out.Varint(7, 7);
  out.Varint(8, static_cast<uint64_t>(partition));
  out.PackedRepeat(10, ts, keys.size());
  out.Varint(11, keys.size());
  out.Bytes(12, Nested(1, Nested(1, numbers.str())));
  return Decoded(out.Take());
}

}  // namespace cdc::rows_for_tests
