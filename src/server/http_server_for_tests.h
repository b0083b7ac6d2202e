// A server for a test, on a free port of this host. Not part of the product.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "server/http_server.h"

namespace cdc {

// The test fails when it does not start.
inline std::unique_ptr<HttpServer> StartForTest(HttpHandler handler, HttpOptions options = {}) {
  options.address = "127.0.0.1:0";
  Result<std::unique_ptr<HttpServer>> server = HttpServer::Start(options, std::move(handler));
  EXPECT_TRUE(server.ok()) << server.error().message;
  return server.ok() ? *std::move(server) : nullptr;
}

inline HttpResponse EchoBody(const HttpRequest& request) {
  return {200, "text/plain", request.body, {}};
}

}  // namespace cdc
