#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <type_traits>

#include "base/format.h"
#include "base/log.h"
#include "server/http_session_impl.h"

namespace cdc {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using std::chrono::milliseconds;

constexpr size_t kFirstRead = 2048;       // bytes that a connection holds while it waits
constexpr size_t kSmallBody = 64 * 1024;  // not counted among the bodies under way
constexpr milliseconds kSwallow{2000};    // for what a client still sends at the end
constexpr const char* kJson = "application/json";

std::string ErrorBody(int code, const std::string& message) {
  return Format("{\"code\":{},\"message\":\"{}\"}", code, message);
}

HttpResponse Run(const HttpHandler& handler, const HttpRequest& request) noexcept {
  try {
    return handler(request);
  } catch (const std::exception& e) {
    LogError("a request for {} ended in an exception: {}", request.path, e.what());
  } catch (...) {
    LogError("a request for {} ended in an exception", request.path);
  }
  return {500, kJson, ErrorBody(500, "internal error; the server's log says more")};
}

// A line break in a field would let its value speak for the server.
bool IsOneLine(const std::string& text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool HasBody(int status) {
  return status >= 200 && status != 204 && status != 304;
}

// The operations of a session over a stream: beast::tcp_stream, or TLS over one.
template <typename Stream>
class StreamSession final : public HttpSession {
 public:
  template <typename... Args>
  explicit StreamSession(HttpShared* shared, tcp::socket socket, Args&... args)
      : HttpSession(shared), stream_(std::move(socket), args...) {}

 private:
  static constexpr bool kTls = !std::is_same_v<Stream, beast::tcp_stream>;

  std::shared_ptr<StreamSession> Self() {
    return std::static_pointer_cast<StreamSession>(shared_from_this());
  }
  beast::tcp_stream& Tcp() override { return beast::get_lowest_layer(stream_); }

  void Handshake() override {
    if constexpr (kTls) {
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = Self()](ErrorCode error) { self->OnTlsHandshake(error); });
    } else {
      OnHandshake({});
    }
  }
  void OnTlsHandshake(ErrorCode error) {
    const bool is_http =
        error.category() == asio::error::get_ssl_category() &&
        ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_HTTP_REQUEST;
    if (!is_http) return OnHandshake(error);
    static const std::string kAnswer =
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n"
        "Content-Length: 35\r\n\r\nthis port speaks TLS: use https://\n";
    asio::async_write(Tcp(), asio::buffer(kAnswer),
                      [self = Self()](ErrorCode, size_t) { self->OnGoodbye(); });
  }
  void AwaitByte() override {
    stream_.async_read_some(buffer_.prepare(kFirstRead),
                            [self = Self()](ErrorCode error, size_t size) {
                              self->buffer_.commit(size);
                              self->OnByte(error);
                            });
  }
  void ReadHead() override {
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = Self()](ErrorCode error, size_t) { self->OnHead(error); });
  }
  void SendContinue() override {
    static const std::string kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(kContinue),
                      [self = Self()](ErrorCode error, size_t) { self->OnContinued(error); });
  }
  void ReadBody() override {
    http::async_read(stream_, buffer_, *parser_,
                     [self = Self()](ErrorCode error, size_t) { self->OnBody(error); });
  }
  void SendAnswer() override {
    http::async_write(stream_, *response_,
                      [self = Self()](ErrorCode error, size_t) { self->OnAnswered(error); });
  }
  void SayGoodbye() override {
    if constexpr (kTls) {
      stream_.async_shutdown([self = Self()](ErrorCode) { self->OnGoodbye(); });
    } else {
      OnGoodbye();
    }
  }

  Stream stream_;
};

}  // namespace

void HttpSession::Serve(HttpShared* shared, tcp::socket socket, asio::ssl::context* tls) {
  std::shared_ptr<HttpSession> session;
  if (tls != nullptr) {
    session = std::make_shared<StreamSession<beast::ssl_stream<beast::tcp_stream>>>(
        shared, std::move(socket), *tls);
  } else {
    session = std::make_shared<StreamSession<beast::tcp_stream>>(shared, std::move(socket));
  }
  session->Limit(shared->options.handshake_timeout_ms);
  session->Handshake();
}

void HttpSession::Refuse(HttpShared* shared, tcp::socket socket) {
  auto session = std::make_shared<StreamSession<beast::tcp_stream>>(shared, std::move(socket));
  session->refused_ = true;
  ++shared->refused;
  session->AnswerAndClose(503, "the server has too many connections; try again");
}

HttpSession::HttpSession(HttpShared* shared) : shared_(shared), timer_(shared->io) {
  shared_->sessions.insert(this);
}

HttpSession::~HttpSession() {
  shared_->bodies_bytes -= body_bytes_;
  if (refused_) --shared_->refused;
  shared_->sessions.erase(this);
  shared_->session_ended();
}

void HttpSession::Close() {
  ErrorCode ignored;
  Tcp().socket().shutdown(tcp::socket::shutdown_both, ignored);
  Tcp().close();
}

void HttpSession::Limit(int milliseconds_together) {
  Tcp().expires_after(milliseconds(milliseconds_together));
}

void HttpSession::OnHandshake(ErrorCode error) {
  if (!error) return NextRequest();
  LogDebug("a TLS handshake failed: {}", error.message());
}

void HttpSession::NextRequest() {
  shared_->bodies_bytes -= body_bytes_;
  body_bytes_ = 0;
  parser_.emplace();
  parser_->body_limit(shared_->options.max_body_bytes);
  parser_->header_limit(static_cast<uint32_t>(shared_->options.max_header_bytes));
  waiting_ = true;
  head_ = false;
  version_ = 11;
  Limit(shared_->options.idle_timeout_ms);
  if (buffer_.size() == 0) return AwaitByte();
  OnByte({});  // of a pipelined request
}

void HttpSession::OnByte(ErrorCode error) {
  if (error) return;
  Limit(shared_->options.head_timeout_ms);
  ReadHead();
}

void HttpSession::OnHead(ErrorCode error) {
  if (error) return OnReadError(error);
  if (!TakeRoomForBody()) {
    return AnswerAndClose(503, "the server has too many large requests under way; try again");
  }
  Limit(shared_->options.body_timeout_ms);
  if (beast::iequals(parser_->get()[http::field::expect], "100-continue")) return SendContinue();
  ReadBody();
}

// Many large bodies at once must not exhaust the memory; small ones come through beside them.
bool HttpSession::TakeRoomForBody() {
  const auto announced = parser_->content_length();
  size_t wanted = parser_->chunked() ? shared_->options.max_body_bytes : 0;
  if (announced) wanted = static_cast<size_t>(*announced);
  if (wanted <= kSmallBody) return true;
  const size_t under_way = shared_->bodies_bytes;
  if (under_way > 0 && under_way + wanted > shared_->options.max_bodies_bytes) return false;
  shared_->bodies_bytes += wanted;
  body_bytes_ = wanted;
  return true;
}

void HttpSession::OnContinued(ErrorCode error) {
  if (!error) ReadBody();
}

void HttpSession::OnReadError(ErrorCode error) {
  if (error == http::error::body_limit) {
    return AnswerAndClose(
        413, Format("the request is larger than {} bytes", shared_->options.max_body_bytes));
  }
  if (error == http::error::header_limit) {
    return AnswerAndClose(431, "the head of the request is too large");
  }
  // Anything else than the parser's complaints: the client has gone, or its time is over.
  static const auto& kParser = http::make_error_code(http::error::bad_method).category();
  const bool gone = error.category() != kParser || error == http::error::end_of_stream ||
                    error == http::error::partial_message;
  if (!gone) AnswerAndClose(400, "this is not an HTTP request");
}

void HttpSession::OnBody(ErrorCode error) {
  if (error) return OnReadError(error);
  waiting_ = false;
  http::request<http::string_body> message = parser_->release();
  head_ = message.method() == http::verb::head;
  version_ = message.version();
  auto asked = std::make_shared<Asked>();
  asked->keep = message.keep_alive();
  HttpRequest& request = asked->request;
  request.method = std::string(message.method_string());
  const std::string target(message.target());
  const size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark != std::string::npos) request.query = target.substr(mark + 1);
  request.authorization = std::string(message[http::field::authorization]);
  request.content_type = std::string(message[http::field::content_type]);
  const std::string origin(message[http::field::origin]);  // scheme://host[:port], or "null"
  const size_t scheme = origin.find("://");
  request.from_another_site =
      !origin.empty() && (scheme == std::string::npos ||
                          origin.substr(scheme + 3) != std::string(message[http::field::host]));
  request.body = std::move(message.body());
  Ask(std::move(asked));
}

void HttpSession::Ask(std::shared_ptr<Asked> asked) {
  Tcp().expires_never();  // the timer counts from here
  asked_ = asked;
  const bool taken =
      !shared_->stopping &&
      shared_->pool.Submit([shared = shared_, asked, self = shared_from_this()]() mutable {
        HttpResponse response;
        if (!asked->begun.exchange(true)) response = Run(shared->handler, asked->request);
        // The session may be used on the I/O thread only: it goes back there whatever happens.
        asio::post(shared->io, [asked, self = std::move(self), response = std::move(response)] {
          self->OnHandled(asked, response);
        });
      });
  if (!taken) {
    asked_.reset();
    return AnswerAndClose(503, "the server has too many requests waiting; try again");
  }
  timer_.expires_after(milliseconds(shared_->options.request_timeout_ms));
  timer_.async_wait([weak = weak_from_this(), asked](ErrorCode error) {
    const std::shared_ptr<HttpSession> self = error ? nullptr : weak.lock();
    if (self) self->OnTooLong(asked);
  });
}

void HttpSession::OnHandled(const std::shared_ptr<Asked>& asked, const HttpResponse& response) {
  if (asked_ != asked) return;  // answered by OnTooLong
  asked_.reset();
  timer_.cancel();
  Answer(response, asked->keep);
}

void HttpSession::OnTooLong(const std::shared_ptr<Asked>& asked) {
  if (asked_ != asked) return;
  asked_.reset();
  if (!asked->begun.exchange(true)) {
    return AnswerAndClose(503, "the server was too busy to begin with the request; try again");
  }
  LogWarn("a request for {} takes longer than {} ms; it goes on", asked->request.path,
          shared_->options.request_timeout_ms);
  AnswerAndClose(504,
                 "the request takes too long; it goes on and may still succeed, so look at the "
                 "task before you repeat it");
}

void HttpSession::AnswerAndClose(int status, const std::string& text) {
  Answer({status, kJson, ErrorBody(status, text)}, false);
}

void HttpSession::Answer(const HttpResponse& response, bool keep) {
  keep_ = keep && !shared_->stopping;
  auto& out = response_.emplace();
  out.version(version_);
  out.result(static_cast<unsigned>(response.status));
  for (const auto& [name, value] : response.headers) {
    if (IsOneLine(name) && IsOneLine(value)) {
      out.insert(name, value);
    } else {
      LogError("an answer was to have a field of several lines, which is left out");
    }
  }
  out.keep_alive(keep_);
  if (HasBody(response.status)) {
    out.set(http::field::content_type, response.content_type);
    out.content_length(response.body.size());
    if (!head_) out.body() = response.body;
  }
  Limit(shared_->options.write_timeout_ms);
  SendAnswer();
}

void HttpSession::OnAnswered(ErrorCode error) {
  if (error) return;
  response_.reset();
  if (keep_ && !shared_->stopping) return NextRequest();
  waiting_ = true;
  Tcp().expires_after(kSwallow);
  SayGoodbye();
}

void HttpSession::OnGoodbye() {
  ErrorCode ignored;
  Tcp().socket().shutdown(tcp::socket::shutdown_send, ignored);
  Swallow();
}

// Reads what the client still sends, so that closing does not destroy the answer on its way.
void HttpSession::Swallow() {
  buffer_.clear();
  if (shared_->stopping) return;
  Tcp().async_read_some(buffer_.prepare(65536),
                        [self = shared_from_this()](ErrorCode error, size_t) {
                          if (!error) self->Swallow();
                        });
}

}  // namespace cdc
