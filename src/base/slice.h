// Slice: a run of bytes that is kept alive by its owner, whatever that is: a string, a message of a
// client library, a buffer. Plain value; copies share the bytes, which never change.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace cdc {

struct Slice {
  std::shared_ptr<const void> owner;
  std::string_view bytes;

  static Slice Own(std::string text) {
    auto owner = std::make_shared<const std::string>(std::move(text));
    const std::string_view bytes = *owner;
    return {std::move(owner), bytes};
  }
  // In one allocation.
  static Slice Copy(std::string_view bytes) {
    auto owner = std::make_shared_for_overwrite<char[]>(bytes.size());
    if (!bytes.empty()) std::memcpy(owner.get(), bytes.data(), bytes.size());
    const std::string_view copy(owner.get(), bytes.size());
    return {std::move(owner), copy};
  }
  explicit operator bool() const { return owner != nullptr; }
};

}  // namespace cdc
