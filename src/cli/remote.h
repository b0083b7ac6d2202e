// The Transport of a running server, over HTTP or HTTPS (libcurl).
#pragma once

#include <memory>
#include <string>

#include "cli/transport.h"

namespace cdc {

struct RemoteOptions {
  std::string server;  // http(s)://host[:port][/prefix]; without a scheme: http
  std::string token;   // sent as bearer token, a secret; empty: none
  // PEM files; empty: the system's authorities, no certificate of our own.
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
  int timeout_seconds = 60;  // of a whole request
};

// Sends nothing yet. kInvalid, with what to do: the address or a file is wrong, or the token cannot
// be sent. Proxies of the environment serve all addresses but those of this host.
Result<std::unique_ptr<Transport>> OpenRemote(const RemoteOptions& options);

}  // namespace cdc
