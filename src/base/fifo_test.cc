#include "base/fifo.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>
#include <string>

namespace cdc {
namespace {

TEST(FifoTest, BehavesAsADeque) {
  std::mt19937 random(1);
  Fifo<std::string> fifo;
  std::deque<std::string> deque;
  for (int i = 0; i < 20'000; ++i) {
    const std::string value = "value number " + std::to_string(i);
    switch (random() % 8) {
      case 0:
      case 1:
      case 2:
        fifo.push_back(value);
        deque.push_back(value);
        break;
      case 3:
        fifo.push_front(value);
        deque.push_front(value);
        break;
      case 7:
        if (random() % 50 == 0) {
          const auto odd = [](const std::string& text) { return text.back() % 2 == 1; };
          fifo.EraseIf(odd);
          std::erase_if(deque, odd);
        }
        break;
      default:
        if (deque.empty()) break;
        fifo.pop_front();
        deque.pop_front();
    }
    ASSERT_EQ(fifo.size(), deque.size());
    ASSERT_EQ(fifo.empty(), deque.empty());
    if (!deque.empty()) {
      ASSERT_EQ(fifo.front(), deque.front());
      ASSERT_EQ(fifo[deque.size() - 1], deque.back());
    }
  }
  std::deque<std::string> seen;
  fifo.ForEach([&](const std::string& text) { seen.push_back(text); });
  EXPECT_EQ(seen, deque);
}

TEST(FifoTest, WhatIsTakenOutIsDestroyed) {
  Fifo<std::shared_ptr<int>> fifo;
  const auto value = std::make_shared<int>(1);
  for (int i = 0; i < 3; ++i) fifo.push_back(value);
  fifo.pop_front();
  EXPECT_EQ(value.use_count(), 3);
  fifo.pop_front();
  fifo.pop_front();
  EXPECT_EQ(value.use_count(), 1);
}

}  // namespace
}  // namespace cdc
