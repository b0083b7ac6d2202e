#include "client/rocksmq/rocksmq_waker.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace cdc {

RocksmqWaker::RocksmqWaker(std::string path)
    : path_(std::move(path)),
      command_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      notify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

RocksmqWaker::~RocksmqWaker() {
  if (notify_ >= 0) close(notify_);
  if (command_ >= 0) close(command_);
}

void RocksmqWaker::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(command_, &one, sizeof one);
}

void RocksmqWaker::Watch() {
  if (notify_ < 0) return;
  tells_ = false;
  if (watch_ >= 0) inotify_rm_watch(notify_, watch_);
  watch_ = inotify_add_watch(notify_, path_.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO);
}

bool RocksmqWaker::WaitForCommand(Duration timeout) {
  return Wait(timeout, false);
}

void RocksmqWaker::WaitForCommandOrWrite(Duration timeout) {
  Wait(timeout, true);
}

bool RocksmqWaker::Wait(Duration timeout, bool writes) {
  pollfd waiting[2] = {{command_, POLLIN, 0}, {notify_, POLLIN, 0}};
  const bool both = writes && watch_ >= 0;
  const int64_t nanoseconds = std::max<int64_t>(timeout.count(), 0);
  const timespec limit{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
  ppoll(waiting, both ? 2 : 1, &limit, nullptr);
  if (both && (waiting[1].revents & POLLIN) != 0) {
    tells_ = true;
    char events[4096];
    while (read(notify_, events, sizeof events) > 0) {
    }
  }
  if ((waiting[0].revents & POLLIN) == 0) return false;
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(command_, &count, sizeof count);
  return true;
}

}  // namespace cdc
