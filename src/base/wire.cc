#include "base/wire.h"

namespace cdc {
namespace {

constexpr uint64_t kMaxFieldNumber = (1U << 29) - 1;

uint64_t LittleEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) {
    value = (value << 8) | static_cast<uint8_t>(bytes[i - 1]);
  }
  return value;
}

}  // namespace

bool ReadLongVarint(std::string_view bytes, size_t* at, uint64_t* value) {
  uint64_t result = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (*at >= bytes.size()) return false;
    const auto byte = static_cast<uint8_t>(bytes[(*at)++]);
    if (shift == 63 && byte > 1) return false;
    result |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) {
      *value = result;
      return true;
    }
  }
  return false;
}

bool WireReader::Fail() {
  ok_ = false;
  at_ = bytes_.size();
  return false;
}

bool WireReader::Next() {
  if (!ok_ || at_ >= bytes_.size()) return false;
  const size_t begin = at_;
  uint64_t tag = 0;
  if (!ReadVarint(bytes_, &at_, &tag)) return Fail();
  if ((tag >> 3) == 0 || (tag >> 3) > kMaxFieldNumber) return Fail();
  field_ = static_cast<uint32_t>(tag >> 3);
  number_ = 0;
  value_ = {};
  size_t size = 0;
  switch (tag & 7) {
    case 0:
      type_ = WireType::kVarint;
      if (!ReadVarint(bytes_, &at_, &number_)) return Fail();
      raw_ = bytes_.substr(begin, at_ - begin);
      return true;
    case 1:
      type_ = WireType::kFixed64;
      size = 8;
      break;
    case 2: {
      type_ = WireType::kBytes;
      uint64_t length = 0;
      if (!ReadVarint(bytes_, &at_, &length)) return Fail();
      if (length > bytes_.size() - at_) return Fail();
      size = static_cast<size_t>(length);
      break;
    }
    case 5:
      type_ = WireType::kFixed32;
      size = 4;
      break;
    default:  // groups: no Milvus message has one
      return Fail();
  }
  if (size > bytes_.size() - at_) return Fail();
  const std::string_view content = bytes_.substr(at_, size);
  if (type_ == WireType::kBytes) {
    value_ = content;
  } else {
    number_ = LittleEndian(content);
  }
  at_ += size;
  raw_ = bytes_.substr(begin, at_ - begin);
  return true;
}

size_t VarintSize(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

void WireWriter::RawVarint(uint64_t value) {
  for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
  out_.push_back(static_cast<char>(value));
}

void WireWriter::Tag(uint32_t field, WireType type) {
  RawVarint((static_cast<uint64_t>(field) << 3) | static_cast<uint64_t>(type));
}

void WireWriter::Varint(uint32_t field, uint64_t value) {
  Tag(field, WireType::kVarint);
  RawVarint(value);
}

void WireWriter::BytesHeader(uint32_t field, size_t size) {
  Tag(field, WireType::kBytes);
  RawVarint(size);
}

void WireWriter::Bytes(uint32_t field, std::string_view value) {
  BytesHeader(field, value.size());
  out_.append(value);
}

void WireWriter::PackedRepeat(uint32_t field, uint64_t value, size_t count) {
  if (count == 0) return;
  const size_t size = VarintSize(value) * count;
  BytesHeader(field, size);
  out_.reserve(out_.size() + size);
  for (size_t i = 0; i < count; ++i) RawVarint(value);
}

void Slices::Append(std::string bytes) {
  if (bytes.empty()) return;
  size_ += bytes.size();
  pieces_.push_back(Slice::Own(std::move(bytes)));
}

void Slices::Append(std::shared_ptr<const void> owner, std::string_view bytes) {
  if (bytes.empty()) return;
  size_ += bytes.size();
  pieces_.push_back({std::move(owner), bytes});
}

void Slices::Append(const Slices& other) {
  pieces_.insert(pieces_.end(), other.pieces_.begin(), other.pieces_.end());
  size_ += other.size_;
}

std::string Slices::Join() const {
  std::string out;
  out.reserve(size_);
  for (const Slice& piece : pieces_) out.append(piece.bytes);
  return out;
}

}  // namespace cdc
