// What went wrong, as the answer to a request of /api/v1: application/problem+json (RFC 9457) with
// a "kind" for programs. Pure functions.
#pragma once

#include <string>

#include "base/result.h"
#include "server/http_server.h"

namespace cdc {

// `kind` is one of those that openapi.json names; `detail` is one line without secrets.
HttpResponse Problem(int status, const std::string& kind, const std::string& detail);

// The HTTP status and the kind that an error of the tasks deserves.
struct ErrorClass {
  int status = 500;
  const char* kind = "internal";
};
ErrorClass ClassOf(const Error& error);
HttpResponse ProblemOf(const Error& error);

}  // namespace cdc
