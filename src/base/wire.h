// Protobuf wire bytes, read and written without a protobuf library, and Slices: bytes in pieces.
//
// For messages whose bulk (vectors, columns) must pass through untouched and uncopied. Plain
// values; any thread, nothing blocks, nothing throws. Malformed input is an error, never undefined
// behaviour.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/slice.h"

namespace cdc {

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// Walks the top-level fields of one message. The bytes must outlive the reader.
//
//   WireReader reader(bytes);
//   while (reader.Next()) { switch (reader.field()) ... }
//   if (!reader.ok()) -> malformed
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : bytes_(bytes) {}

  // Goes to the next field. False at the end, and at the first malformed field: see ok().
  bool Next();
  bool ok() const { return ok_; }

  uint32_t field() const { return field_; }
  WireType type() const { return type_; }
  bool Is(uint32_t field, WireType type) const { return field_ == field && type_ == type; }
  uint64_t number() const { return number_; }        // of a varint, fixed64 or fixed32; else 0
  std::string_view bytes() const { return value_; }  // of a length-delimited field; else empty
  std::string_view raw() const { return raw_; }      // the field as it stands, tag included

 private:
  bool Fail();

  std::string_view bytes_;
  size_t at_ = 0;
  bool ok_ = true;
  uint32_t field_ = 0;
  WireType type_ = WireType::kVarint;
  uint64_t number_ = 0;
  std::string_view value_;
  std::string_view raw_;
};

bool ReadLongVarint(std::string_view bytes, size_t* at, uint64_t* value);

// Reads one varint at `*at` and moves `*at` behind it. False: truncated or longer than 64 bits.
inline bool ReadVarint(std::string_view bytes, size_t* at, uint64_t* value) {
  if (*at < bytes.size() && static_cast<uint8_t>(bytes[*at]) < 0x80) {  // most are of one byte
    *value = static_cast<uint8_t>(bytes[(*at)++]);
    return true;
  }
  return ReadLongVarint(bytes, at, value);
}

// Calls `each(uint64_t)` for the numbers that one field of a repeated varint holds, packed or not.
// False: malformed, or of another wire type.
template <typename Each>
bool ForEachVarint(const WireReader& reader, Each each) {
  if (reader.type() == WireType::kVarint) {
    each(reader.number());
    return true;
  }
  if (reader.type() != WireType::kBytes) return false;
  size_t at = 0;
  uint64_t value = 0;
  while (at < reader.bytes().size()) {
    if (!ReadVarint(reader.bytes(), &at, &value)) return false;
    each(value);
  }
  return true;
}

// Appends fields to a string. Zero and empty values are written too: the caller leaves them out.
class WireWriter {
 public:
  void Tag(uint32_t field, WireType type);
  void RawVarint(uint64_t value);
  void Varint(uint32_t field, uint64_t value);
  void Bytes(uint32_t field, std::string_view value);
  // Tag and length of a length-delimited field whose `size` bytes the caller appends next.
  void BytesHeader(uint32_t field, size_t size);
  void Raw(std::string_view bytes) { out_.append(bytes); }
  // `count` times `value` as a packed field; nothing when `count` is 0.
  void PackedRepeat(uint32_t field, uint64_t value, size_t count);

  size_t size() const { return out_.size(); }
  const std::string& str() const { return out_; }
  std::string Take() { return std::exchange(out_, {}); }

 private:
  std::string out_;
};

size_t VarintSize(uint64_t value);

// A sequence of slices that stand for their concatenation. Copies share the bytes.
class Slices {
 public:
  void Append(std::string bytes);
  void Append(std::shared_ptr<const void> owner, std::string_view bytes);
  void Append(const Slices& other);

  const std::vector<Slice>& pieces() const { return pieces_; }
  size_t size() const { return size_; }  // total bytes
  bool empty() const { return size_ == 0; }
  std::string Join() const;  // one contiguous copy

 private:
  std::vector<Slice> pieces_;
  size_t size_ = 0;
};

}  // namespace cdc
