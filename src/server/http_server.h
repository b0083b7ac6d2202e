// HttpServer: HTTP/1.1 over Boost.Beast, behind plain types.
//
// One I/O thread serves any number of connections; handlers run on a small pool, so they may block
// for seconds without holding up connections, and idle connections cost no thread. When all handler
// threads are busy and their queue is full, requests are answered 503 at once.
//
// Keep-alive, HEAD, Expect: 100-continue and pipelining are served. A request that is larger than
// the limit is answered 413, one that is not HTTP 400, and a handler that throws 500; none of them
// ends the process. Listens on plain TCP.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace cdc {

struct HttpRequest {
  std::string method;  // "GET", "POST", ... as sent
  std::string path;    // without the query
  std::string query;   // behind the '?'
  std::string body;
  std::string authorization;  // the header of that name, a secret; empty: none
  std::string content_type;   // as sent, with parameters
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // besides type and length
};

// Called on several threads at once; may block.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

struct HttpOptions {
  std::string address = "127.0.0.1:8444";  // host:port; ":8444" every interface, port 0 any free
  int handler_threads = 8;
  size_t max_queued_requests = 1024;
  size_t max_body_bytes = 16 * 1024 * 1024;
  size_t max_header_bytes = 64 * 1024;
  int idle_timeout_ms = 75'000;   // until the head of the next request is complete
  int body_timeout_ms = 30'000;   // until its body is complete
  int write_timeout_ms = 30'000;  // until the answer is taken
};

class HttpServer {
 public:
  // Binds, listens and serves. Errors: the address is wrong, or its port is taken.
  static Result<std::unique_ptr<HttpServer>> Start(const HttpOptions& options, HttpHandler handler);
  // Stops.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;
  // Takes no new request, closes idle connections at once, waits for handlers in progress to return
  // (whatever they wait for must be made to end before) and lets their answers out, at most about
  // half a second longer. Requests that still wait for a thread are dropped. Idempotent; blocks;
  // not from a handler.
  void Stop();

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Splits "host:port", "[v6]:port" or ":port". kInvalid with what is wrong.
Status SplitAddress(const std::string& address, std::string* host, uint16_t* port);

}  // namespace cdc
