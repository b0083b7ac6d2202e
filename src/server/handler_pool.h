// HandlerPool: the threads that run HTTP handlers, with a bounded queue before them.
//
// Owned by the HTTP server. Submit() from any thread, never blocks; Stop() from one.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace cdc {

class HandlerPool {
 public:
  using Job = std::function<void()>;

  HandlerPool(int threads, size_t max_queued);
  ~HandlerPool();
  HandlerPool(const HandlerPool&) = delete;
  HandlerPool& operator=(const HandlerPool&) = delete;

  // False: full, or stopped; the job is not run.
  bool Submit(Job job);
  // Blocks until what runs has returned; hands back what was waiting, unrun.
  std::deque<Job> Stop();

 private:
  void Loop();

  const size_t max_queued_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace cdc
