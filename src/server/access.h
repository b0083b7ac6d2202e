// Who may use the HTTP server: the listener of a configuration, with its certificates, its token
// and its limits.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/config.h"
#include "server/http_server.h"

namespace cdc {

// Lets only those requests through to `next` that carry "Authorization: Bearer <token>"; others are
// answered 401 in the form of the endpoint. /healthz is free. How long a comparison takes does not
// depend on the token. Precondition: `token` is not empty. Safe from several threads if `next` is.
HttpHandler RequireToken(std::string token, HttpHandler next);

// The listener that a configuration asks for.
HttpOptions ListenerOptions(const ServerConfig& config);

// What somebody should know who starts this listener: that anybody who reaches it can use it, or
// that its token can be read on the way, unless security.insecureListen says that it is known; that
// its certificate has expired.
std::vector<std::string> ListenerWarnings(const ServerConfig& config);

// Starts the listener, with the token if there is one, and logs the warnings. Errors: kInvalid.
Result<std::unique_ptr<HttpServer>> StartListener(const ServerConfig& config, HttpHandler handler);

}  // namespace cdc
