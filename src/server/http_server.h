// HttpServer: HTTP/1.1 over Boost.Beast, on plain TCP or TLS, behind plain types.
//
// One I/O thread serves any number of connections; handlers run on a small pool, so they may block
// for seconds without holding up connections, and idle connections cost no thread. When all handler
// threads are busy and their queue is full, requests are answered 503 at once.
//
// Keep-alive, HEAD, Expect: 100-continue and pipelining are served. A request that is larger than
// the limit is answered 413 (431: its head), one that is not HTTP 400, and a handler that throws
// 500; none of them ends the process.
//
// No client can hold the server up. Each step of a connection has a time for the whole of it, not
// for each byte: whoever sends or takes bytes one by one is cut off. More connections than the
// limit are answered 503 and closed (on TLS: closed), and so are large bodies when too many are
// under way at once. A handler that runs longer than the limit of a request is answered for with
// 504; it is not stopped, and what it returns then is dropped.
//
// TLS is 1.2 or newer. With a client CA only clients with a certificate of that CA come in, before
// a byte of HTTP is read. Certificates are read at the start; new ones need a restart.
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
  // A browser sends it for a page that came from elsewhere ("Origin" is another host than "Host").
  bool from_another_site = false;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;  // not sent with 204 and 304, which have none
  std::vector<std::pair<std::string, std::string>> headers;  // besides type and length
};

// Called on several threads at once; may block.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

// PEM files. All empty: plain TCP.
struct HttpTls {
  std::string cert_file;       // the server's certificate, then those between it and the CA
  std::string key_file;        // its private key, without a passphrase
  std::string client_ca_file;  // clients must have a certificate signed by one of these
};

struct HttpOptions {
  std::string address = "127.0.0.1:8444";  // host:port; ":8444" every interface, port 0 any free
  HttpTls tls;
  int handler_threads = 8;
  size_t max_queued_requests = 1024;
  size_t max_connections = 1000;
  size_t max_body_bytes = 16 * 1024 * 1024;
  size_t max_bodies_bytes = 128 * 1024 * 1024;  // of all bodies above 64 KiB that are under way
  size_t max_header_bytes = 64 * 1024;
  int handshake_timeout_ms = 10'000;  // of TLS
  int idle_timeout_ms = 75'000;       // until the first byte of the next request
  int head_timeout_ms = 20'000;       // from there until its head is complete
  int body_timeout_ms = 30'000;       // until its body is complete
  int request_timeout_ms = 120'000;   // until the handler has returned
  int write_timeout_ms = 30'000;      // until the answer is taken
};

class HttpServer {
 public:
  // Binds, listens and serves. Errors (kInvalid): the address is wrong, its port is taken, a
  // certificate file cannot be used.
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

// Reads the files as a start would. kInvalid with the setting and the file that is wrong.
Status CheckTls(const HttpTls& tls);
// What is to be said about files that can be used: the certificate has expired. Empty: nothing.
std::string TlsWarning(const HttpTls& tls);

}  // namespace cdc
