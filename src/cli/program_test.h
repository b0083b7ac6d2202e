// Program: the command line as a whole, for the tests of this folder. Command lines go in; out come
// the requests that a server would get, what is printed and the exit code.
#pragma once

#include <deque>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "cli/console.h"

namespace cdc {

class FakeClock final : public Clock {
 public:
  TimePoint Now() const override { return TimePoint(std::chrono::milliseconds(ms)); }
  int64_t WallMillis() const override { return ms; }
  int64_t ms = 1'778'311'800'000;  // 2026-05-09T07:30:00Z
};

class Program {
 public:
  // What the server answers next; a request more than that fails.
  void WillAnswer(int status, const std::string& body) {
    outcomes_.push_back(ApiAnswer{status, "application/json", body});
  }
  void WillFail(Error error) { outcomes_.push_back(std::move(error)); }

  // What is in quotes within `line` is one argument. Returns the exit code.
  int Run(const std::string& line);

  FakeClock clock;
  std::map<std::string, std::string> environment;
  std::istringstream in;
  std::ostringstream out, err;  // of the last run, as what follows
  std::vector<ApiRequest> requests;
  RemoteOptions connected;  // if it came that far
  bool terminal = false;    // input and output are one, of 70 columns

 private:
  class FakeTransport;
  Console MakeConsole();

  std::deque<Result<ApiAnswer>> outcomes_;
};

}  // namespace cdc
