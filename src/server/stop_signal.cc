#include "server/stop_signal.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>

#include "base/log.h"

namespace cdc {
namespace {

constexpr int kExitForced = 70;

[[noreturn]] void EndNow(const char* why) {
  LogError("ending at once: {}; nothing that was stored is lost", why);
  std::_Exit(kExitForced);
}

}  // namespace

StopSignal::StopSignal(Duration limit) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal_fd_ = signalfd(-1, &set, SFD_CLOEXEC);
  quit_fd_ = eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this, limit] { Loop(limit); });
}

StopSignal::~StopSignal() {
  const uint64_t one = 1;
  const ssize_t written = write(quit_fd_, &one, sizeof(one));
  (void)written;  // an eventfd takes the first write always
  thread_.join();
  close(signal_fd_);
  close(quit_fd_);
}

int StopSignal::Wait() {
  std::unique_lock lock(mutex_);
  raised_.wait(lock, [&] { return number_ != 0; });
  return number_;
}

bool StopSignal::Raised() {
  std::lock_guard lock(mutex_);
  return number_ != 0;
}

void StopSignal::Loop(Duration limit) {
  const int limit_ms =
      static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(limit).count());
  int timeout = -1;
  while (true) {
    pollfd fds[2] = {{signal_fd_, POLLIN, 0}, {quit_fd_, POLLIN, 0}};
    const int ready = poll(fds, 2, timeout);
    if (ready == 0) EndNow("stopping took too long");
    if (ready < 0) continue;
    if (fds[1].revents != 0) return;
    signalfd_siginfo info = {};
    if (read(signal_fd_, &info, sizeof(info)) != sizeof(info)) continue;
    if (timeout >= 0) EndNow("a second signal");
    timeout = limit_ms;
    std::lock_guard lock(mutex_);
    number_ = static_cast<int>(info.ssi_signo);
    raised_.notify_all();
  }
}

}  // namespace cdc
