// Fifo: a queue of values in one ring buffer. Unlike std::deque it allocates nothing while empty
// (there may be 100,000 of them) and not for every few elements. Plain value; T is
// default-constructible and cheap to move. References end with the next push.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace cdc {

template <typename T>
class Fifo {
 public:
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  T& operator[](size_t index) { return slots_[Slot(index)]; }
  const T& operator[](size_t index) const { return slots_[Slot(index)]; }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }

  void push_back(T value) {
    MakeRoom();
    slots_[Slot(size_++)] = std::move(value);
  }
  void push_front(T value) {
    MakeRoom();
    head_ = (head_ + slots_.size() - 1) & (slots_.size() - 1);
    slots_[head_] = std::move(value);
    ++size_;
  }
  void pop_front() {
    if (--size_ == 0) return clear();
    slots_[head_] = T();
    head_ = (head_ + 1) & (slots_.size() - 1);
  }
  // Gives the memory back.
  void clear() {
    std::vector<T>().swap(slots_);
    head_ = size_ = 0;
  }
  // Calls `each(const T&)`, first to last.
  template <typename Each>
  void ForEach(Each each) const {
    for (size_t i = 0; i < size_; ++i) each((*this)[i]);
  }
  // Removes those for which `unwanted(const T&)`; the others keep their order.
  template <typename Unwanted>
  void EraseIf(Unwanted unwanted) {
    Fifo kept;
    for (size_t i = 0; i < size_; ++i) {
      if (!unwanted(std::as_const((*this)[i]))) kept.push_back(std::move((*this)[i]));
    }
    *this = std::move(kept);
  }

 private:
  size_t Slot(size_t index) const { return (head_ + index) & (slots_.size() - 1); }
  void MakeRoom() {
    if (size_ < slots_.size()) return;
    std::vector<T> larger(slots_.empty() ? 2 : 2 * slots_.size());
    for (size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    slots_.swap(larger);
    head_ = 0;
  }

  std::vector<T> slots_;  // a power of two of them, or none
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace cdc
