// Executor: runs callbacks one after another, never two at once.
//
// Everything in pipeline/ lives on one executor; other threads reach it only through Post().
// Post and PostAfter are safe from any thread and do not block. Callbacks must not block.
// After Stop() (of an implementation) callbacks that were not started are destroyed unrun.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"

namespace cdc {

class Executor {
 public:
  using Callback = std::function<void()>;

  virtual ~Executor() = default;
  // Runs `fn` after everything posted before it.
  virtual void Post(Callback fn) = 0;
  // Runs `fn` once `delay` has passed. There is no cancel: callers guard with a liveness token.
  virtual void PostAfter(Duration delay, Callback fn) = 0;
  virtual const Clock& clock() const = 0;
};

// Liveness guard for callbacks that may outlive their owner. The owner holds an Alive; callbacks
// capture Token() and return early when it has expired. Use only on the owner's executor.
class Alive {
 public:
  Alive() : flag_(std::make_shared<bool>(true)) {}
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;
  std::weak_ptr<bool> Token() const { return flag_; }
  // Wraps `fn` so that it does nothing once this Alive is gone.
  template <typename Fn>
  auto Guard(Fn fn) const {
    return [token = Token(), fn = std::move(fn)](auto&&... args) mutable {
      if (token.expired()) return;
      fn(std::forward<decltype(args)>(args)...);
    };
  }

 private:
  std::shared_ptr<bool> flag_;
};

}  // namespace cdc
