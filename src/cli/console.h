// Console: what a command of the command line has around it. Tests bring their own.
#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "cli/remote.h"

namespace cdc {

struct Console {
  // All outlive the commands.
  std::ostream* out = nullptr;
  std::ostream* err = nullptr;
  std::istream* in = nullptr;
  const Clock* clock = nullptr;
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  int width = 0;  // columns of the terminal; 0: it is none, or not known
  std::function<void(Duration)> sleep;
  // The variable's value; "" where it is not set.
  std::function<std::string(const char* name)> environment;
  std::function<Result<std::unique_ptr<Transport>>(const RemoteOptions&)> connect;
};

// That of this process.
Console ProcessConsole();

}  // namespace cdc
