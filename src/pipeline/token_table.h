// TokenTable: values by token, where tokens rise and are soon taken out again, about in order. As a
// map, without an allocation for each. Owned by a Channel; not shared.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/fifo.h"

namespace cdc {

template <typename T>
class TokenTable {
 public:
  void Put(uint64_t token, T value) {
    if (slots_.empty()) first_ = token;
    while (token < first_) {
      slots_.push_front(std::nullopt);
      --first_;
    }
    while (token - first_ >= slots_.size()) slots_.push_back(std::nullopt);
    slots_[token - first_] = std::move(value);
    ++size_;
  }
  // nullopt: there is none.
  std::optional<T> Take(uint64_t token) {
    if (token < first_ || token - first_ >= slots_.size()) return std::nullopt;
    std::optional<T> taken = std::exchange(slots_[token - first_], std::nullopt);
    if (taken) --size_;
    while (!slots_.empty() && !slots_.front()) {
      slots_.pop_front();
      ++first_;
    }
    return taken;
  }
  // Takes out everything for which `wanted(value)`, and calls `each(token, value)` with it.
  template <typename Wanted, typename Each>
  void TakeIf(Wanted wanted, Each each) {
    for (size_t i = 0; i < slots_.size(); ++i) {
      if (!slots_[i] || !wanted(*slots_[i])) continue;
      const T value = *std::exchange(slots_[i], std::nullopt);
      --size_;
      each(first_ + i, value);
    }
  }
  bool empty() const { return size_ == 0; }

 private:
  Fifo<std::optional<T>> slots_;  // from token first_
  uint64_t first_ = 0;
  size_t size_ = 0;
};

}  // namespace cdc
