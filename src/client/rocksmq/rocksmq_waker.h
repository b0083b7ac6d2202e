// RocksmqWaker: what the thread of a RocksMQ log sleeps on: commands of other threads, and inotify
// on the store's folder, which says at once that its owner wrote. Where inotify does not work
// (network file systems) the caller's polling remains.
//
// Wake() is safe from any thread; the rest belongs to the log's thread.
#pragma once

#include <string>

#include "base/clock.h"

namespace cdc {

class RocksmqWaker {
 public:
  explicit RocksmqWaker(std::string path);
  ~RocksmqWaker();
  RocksmqWaker(const RocksmqWaker&) = delete;
  RocksmqWaker& operator=(const RocksmqWaker&) = delete;

  void Wake();
  // Watches the folder anew (after it was opened: it may be another folder of that name).
  void Watch();
  // Sleeps until Wake() or the timeout; true: Wake(). A negative timeout only looks.
  bool WaitForCommand(Duration timeout);
  void WaitForCommandOrWrite(Duration timeout);
  // A write was told since Watch(): inotify works here.
  bool tells() const { return tells_; }

 private:
  bool Wait(Duration timeout, bool writes);

  const std::string path_;
  int command_ = -1;  // eventfd
  int notify_ = -1;   // inotify
  int watch_ = -1;
  bool tells_ = false;
};

}  // namespace cdc
