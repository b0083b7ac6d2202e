// SimRandom: the only source of chance in a simulation. The same seed gives the same numbers on
// every platform. Plain value, not shared between threads.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace cdc::sim {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ull + 0x1234567) {}

  uint64_t Next() {  // splitmix64
    uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  // Uniform in [0, n); n > 0.
  uint64_t Below(uint64_t n) { return Next() % n; }
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low + 1)));
  }
  bool Chance(double p) { return static_cast<double>(Next() >> 11) < p * 9007199254740992.0; }
  Duration Millis(int64_t low, int64_t high) {
    return std::chrono::microseconds(Between(low * 1000, high * 1000));
  }
  Random Fork() { return Random(Next()); }

 private:
  uint64_t state_;
};

}  // namespace cdc::sim
