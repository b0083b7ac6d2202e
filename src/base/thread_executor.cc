#include "base/thread_executor.h"

#include <pthread.h>

#include <future>
#include <utility>

namespace cdc {

ThreadExecutor::ThreadExecutor(std::string name) {
  thread_ = std::thread([this] { Loop(); });
  pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

ThreadExecutor::~ThreadExecutor() {
  Stop();
}

void ThreadExecutor::Post(Callback fn) {
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    ready_.push_back(std::move(fn));
  }
  wake_.notify_one();
}

void ThreadExecutor::PostAfter(Duration delay, Callback fn) {
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    timers_.emplace(clock_.Now() + delay, std::move(fn));
  }
  wake_.notify_one();
}

void ThreadExecutor::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  // Dropped outside the lock: destructors of captured state may post again.
  std::deque<Callback> ready;
  std::multimap<TimePoint, Callback> timers;
  {
    std::lock_guard lock(mutex_);
    ready.swap(ready_);
    timers.swap(timers_);
  }
}

void ThreadExecutor::RunAndWait(Callback fn) {
  auto done = std::make_shared<std::promise<void>>();
  auto future = done->get_future();
  Post([fn = std::move(fn), done] {
    fn();
    done->set_value();
  });
  future.wait();
}

void ThreadExecutor::Loop() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    const TimePoint now = clock_.Now();
    while (!timers_.empty() && timers_.begin()->first <= now) {
      ready_.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
    if (ready_.empty()) {
      if (timers_.empty()) {
        wake_.wait(lock);
      } else {
        wake_.wait_until(lock, timers_.begin()->first);
      }
      continue;
    }
    Callback fn = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    fn();
    fn = nullptr;  // captured state dies outside the lock
    lock.lock();
  }
}

}  // namespace cdc
