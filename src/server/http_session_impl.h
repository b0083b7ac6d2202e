// HttpSession: one connection of the HTTP server. Private to http_*.cc.
//
// All of it on the I/O thread. A session lives as long as an operation of it is under way, or a
// handler answers its request; nobody owns it. What it speaks over, plain TCP or TLS, is a
// subclass in http_session.cc; what it says is here.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "server/handler_pool.h"
#include "server/http_server.h"

namespace cdc {

class HttpSession;

// What the sessions share with their server, which owns it.
struct HttpShared {
  HttpShared(const HttpOptions& o, HttpHandler h)
      : options(o), handler(std::move(h)), pool(o.handler_threads, o.max_queued_requests) {}

  const HttpOptions options;
  const HttpHandler handler;  // on the threads of the pool
  boost::asio::io_context io{1};
  // On the I/O thread.
  std::set<HttpSession*> sessions;
  size_t refused = 0;       // of these, connections that are only told that there are too many
  size_t bodies_bytes = 0;  // of large bodies under way
  bool stopping = false;
  std::function<void()> session_ended;
  // Any thread.
  HandlerPool pool;
};

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  using ErrorCode = boost::beast::error_code;

  // Takes the connection and serves it until it ends. `tls`: null for plain TCP; outlives it.
  static void Serve(HttpShared* shared, boost::asio::ip::tcp::socket socket,
                    boost::asio::ssl::context* tls);
  // Tells a plain connection that there are too many.
  static void Refuse(HttpShared* shared, boost::asio::ip::tcp::socket socket);

  virtual ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  // Nothing was asked on this connection, or the answer was given: it can be closed at any time.
  bool waiting() const { return waiting_; }
  void Close();

 protected:
  explicit HttpSession(HttpShared* shared);

  // The operations of the connection; each ends in the function named after it, once.
  virtual void Handshake() = 0;     // OnHandshake
  virtual void AwaitByte() = 0;     // OnByte
  virtual void ReadHead() = 0;      // OnHead
  virtual void SendContinue() = 0;  // OnContinued
  virtual void ReadBody() = 0;      // OnBody
  virtual void SendAnswer() = 0;    // OnAnswered
  virtual void SayGoodbye() = 0;    // OnGoodbye
  virtual boost::beast::tcp_stream& Tcp() = 0;

  void OnHandshake(ErrorCode error);
  void OnByte(ErrorCode error);
  void OnHead(ErrorCode error);
  void OnContinued(ErrorCode error);
  void OnBody(ErrorCode error);
  void OnAnswered(ErrorCode error);
  void OnGoodbye();

  boost::beast::flat_buffer buffer_;  // read and not yet parsed
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  std::optional<boost::beast::http::response<boost::beast::http::string_body>> response_;

 private:
  // A request that a handler has, or waits for a thread to get.
  struct Asked {
    HttpRequest request;
    bool keep = false;
    std::atomic<bool> begun{false};  // by whoever comes first: a thread, or the time limit
  };

  // The next operations may take this long together.
  void Limit(int milliseconds);
  void NextRequest();
  void OnReadError(ErrorCode error);
  bool TakeRoomForBody();
  void Ask(std::shared_ptr<Asked> asked);
  void OnHandled(const std::shared_ptr<Asked>& asked, const HttpResponse& response);
  void OnTooLong(const std::shared_ptr<Asked>& asked);
  void AnswerAndClose(int status, const std::string& text);
  void Answer(const HttpResponse& response, bool keep);
  void Swallow();

  HttpShared* const shared_;
  boost::asio::steady_timer timer_;  // of the handler
  std::shared_ptr<Asked> asked_;     // not yet answered
  size_t body_bytes_ = 0;            // its share of bodies_bytes
  unsigned version_ = 11;            // of the request
  bool refused_ = false;
  bool waiting_ = true;
  bool head_ = false;
  bool keep_ = false;
};

}  // namespace cdc
