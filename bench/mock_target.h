// A Milvus that is only an address: in this process, on a real connection, it answers every call
// with success after a set time and keeps nothing. Its latency does not depend on its load.
#pragma once

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "model/task.h"

namespace cdc::bench {

class MockTarget {
 public:
  explicit MockTarget(Duration latency);
  ~MockTarget();  // all its clients must be gone
  MockTarget(const MockTarget&) = delete;
  MockTarget& operator=(const MockTarget&) = delete;

  TargetAddress address() const;
  uint64_t calls() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cdc::bench
