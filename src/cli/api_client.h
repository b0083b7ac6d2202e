// ApiClient: requests to /api/v1 and their answers as JSON, and what a failure means for the exit
// code of a command. One thread; calls block as the transport does.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/transport.h"

namespace cdc {

// What a command ends with.
enum class ExitCode {
  kOk = 0,
  kRefused = 1,      // the server said no, or what was waited for cannot come
  kUsage = 2,        // the command line or a file of ours is wrong
  kUnreachable = 3,  // no answer
};

// Of an error of this class or of a Transport.
ExitCode ExitCodeOf(const Error& error);

// "/api/v1/tasks/<id>" with what follows; the id is encoded.
std::string TaskPath(const std::string& id, const std::string& rest = "");

class ApiClient {
 public:
  // `has_token`: one is sent; only the hint for status 401 depends on it.
  ApiClient(std::unique_ptr<Transport> transport, bool has_token);

  // The JSON of an answer whose status is 2xx, null where it has none; `status`, unless null, gets
  // it. Any other answer is an error (kOther) whose message is the server's detail.
  Result<nlohmann::json> Get(const std::string& path);
  Result<nlohmann::json> Post(const std::string& path, const std::string& body = "",
                              int* status = nullptr);
  Result<nlohmann::json> Delete(const std::string& path);

 private:
  Result<nlohmann::json> Call(const ApiRequest& request, int* status = nullptr);
  Error Refusal(const ApiAnswer& answer) const;

  std::unique_ptr<Transport> transport_;
  bool has_token_;
};

}  // namespace cdc
