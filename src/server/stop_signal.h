// StopSignal: SIGTERM and SIGINT as an event, with a limit on how long the process may take to end.
//
// Construct it before any other thread exists (it blocks the signals in this thread, and so in all
// that follow), one per process. A second signal, or `limit` passing after the first while this
// object still lives, ends the process at once: what is stored is safe at any instant.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/clock.h"

namespace cdc {

class StopSignal {
 public:
  explicit StopSignal(Duration limit);
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // Blocks until the first signal; returns its number. Any thread.
  int Wait();
  bool Raised();

 private:
  void Loop(Duration limit);

  int signal_fd_;
  int quit_fd_;
  std::mutex mutex_;
  std::condition_variable raised_;
  int number_ = 0;
  std::thread thread_;
};

}  // namespace cdc
