// ThreadExecutor: the real Executor, one thread with a timer queue.
//
// Owned by whoever starts it; the destructor (or Stop) runs the callback in progress to its end,
// drops the rest and joins the thread. Must not be destroyed from its own thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "base/executor.h"

namespace cdc {

class ThreadExecutor final : public Executor {
 public:
  explicit ThreadExecutor(std::string name);
  ~ThreadExecutor() override;
  ThreadExecutor(const ThreadExecutor&) = delete;
  ThreadExecutor& operator=(const ThreadExecutor&) = delete;

  void Post(Callback fn) override;
  void PostAfter(Duration delay, Callback fn) override;
  const Clock& clock() const override { return clock_; }
  void Stop();

  // Runs `fn` on the executor and waits for it. Not from the executor's own thread.
  void RunAndWait(Callback fn);

 private:
  void Loop();

  SystemClock clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Callback> ready_;
  std::multimap<TimePoint, Callback> timers_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace cdc
