#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <thread>

namespace cdc {
namespace {

int TerminalWidth() {
  winsize size{};
  if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace

Console ProcessConsole() {
  static const SystemClock clock;
  Console console;
  console.out = &std::cout;
  console.err = &std::cerr;
  console.in = &std::cin;
  console.clock = &clock;
  console.in_is_terminal = isatty(STDIN_FILENO) != 0;
  console.out_is_terminal = isatty(STDOUT_FILENO) != 0;
  console.width = TerminalWidth();
  console.sleep = [](Duration time) { std::this_thread::sleep_for(time); };
  console.environment = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  console.connect = &OpenRemote;
  return console;
}

}  // namespace cdc
