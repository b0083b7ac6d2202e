// ReadBudget: how much of all logs may lie in this process before it is with a pipeline, whose own
// quota counts it from then on. One for all targets, since each of them reads ahead.
//
// Nobody waits for it, so that a channel that is not taken from never holds up another: who finds
// no room reads no further ahead than one read, and goes on when that one was taken. Any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

namespace cdc {

class ReadBudget {
 public:
  static constexpr size_t kDefaultBytes = 16 << 20;

  explicit ReadBudget(size_t bytes = kDefaultBytes) : bytes_(bytes) {}

  void Add(size_t bytes) { used_ += bytes; }
  void Remove(size_t bytes) { used_ -= bytes; }
  bool HasRoom(size_t bytes = 0) const { return used_ + bytes <= bytes_; }
  size_t used() const { return used_; }

 private:
  const size_t bytes_;
  std::atomic<size_t> used_ = 0;
};

}  // namespace cdc
