// Transport: how the command line sends one request to a server and gets its answer. remote.h has
// the real one; tests bring their own.
#pragma once

#include <string>

#include "base/result.h"

namespace cdc {

struct ApiRequest {
  std::string method;  // GET, POST, DELETE
  std::string path;    // from /api/v1 on, with its query, percent-encoded
  std::string body;    // JSON; empty: none is sent
};

struct ApiAnswer {
  int status = 0;            // of HTTP
  std::string content_type;  // as sent, with parameters
  std::string body;
};

class Transport {
 public:
  virtual ~Transport() = default;
  // Blocks until the answer is here, whatever its status. One thread at a time. Errors:
  // kUnavailable, nothing answers there; kUnknownOutcome, the request may have been carried out;
  // kInvalid, a file of ours is wrong. The message says what to do and holds no secret.
  virtual Result<ApiAnswer> Send(const ApiRequest& request) = 0;
};

}  // namespace cdc
