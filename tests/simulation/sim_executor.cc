#include "sim_executor.h"

#include <algorithm>
#include <utility>

namespace cdc::sim {

int64_t SimExecutor::WallMillis() const {
  constexpr int64_t kStart = 1'700'000'000'000;
  return kStart +
         std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count();
}

void SimExecutor::Schedule(TimePoint at, Callback fn) {
  heap_.push_back({at, order_++, std::move(fn)});
  std::push_heap(heap_.begin(), heap_.end(), Later());
}

bool SimExecutor::RunOne() {
  if (heap_.empty()) return false;
  std::pop_heap(heap_.begin(), heap_.end(), Later());
  Item item = std::move(heap_.back());
  heap_.pop_back();
  now_ = std::max(now_, item.at);
  ++events_;
  item.fn();
  return true;
}

}  // namespace cdc::sim
