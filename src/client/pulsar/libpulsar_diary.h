// LibpulsarDiary: takes libpulsar's log, which is the process's and not a client's. Lines go to
// ours one level lower, since what matters comes back as an error, and without the secrets.
//
// libpulsar keeps reasons for its log: what it wrote while a call went on explains the call's
// result, a line of another client's at worst. Safe from any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "client/pulsar/libpulsar.h"

namespace cdc {

class LibpulsarDiary {
 public:
  struct Page {
    uint64_t lines = 0;        // of trouble
    uint64_t connections = 0;  // made
    std::string last;          // line of trouble
  };

  void Hide(const std::vector<std::string>& secrets);
  void Write(libpulsar::LogLevel level, std::string text);
  Page page();

 private:
  std::mutex mutex_;
  std::set<std::string> secrets_;
  Page page_;
};

// The only one; never destroyed, because libpulsar's threads may write until the very end.
LibpulsarDiary& TheLibpulsarDiary();
// Writes into it: a libpulsar::LogFunction.
void WriteLibpulsarDiary(libpulsar::LogLevel level, const char* file, int line, const char* text,
                         void* context);

}  // namespace cdc
