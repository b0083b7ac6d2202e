// Finding: one thing that a preflight has looked at. Plain value without secrets.
#pragma once

#include <string>

namespace cdc {

enum class Severity {
  kOk,
  kWarning,  // it will work, perhaps not as expected
  kError,    // it will not work
};

struct Finding {
  std::string check;  // a fixed word, for programs: server/preflight.h lists them
  Severity severity = Severity::kOk;
  std::string what;        // one line
  std::string what_to_do;  // one line; empty for kOk
};

const char* ToString(Severity severity);  // ok, warning, error

}  // namespace cdc
