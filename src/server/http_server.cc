#include "server/http_server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "base/format.h"
#include "base/log.h"

namespace cdc {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using std::chrono::milliseconds;

constexpr milliseconds kAnswerGrace{500};  // for answers on their way when stopping

std::string ErrorBody(int code, const std::string& message) {
  return Format("{\"code\":{},\"message\":\"{}\"}", code, message);
}

// Threads that run handlers, with a bounded queue.
class HandlerPool {
 public:
  HandlerPool(int threads, size_t max_queued) : max_queued_(max_queued) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Loop(); });
  }
  ~HandlerPool() { Stop(); }

  // False: full.
  bool Submit(std::function<void()> job) {
    {
      std::lock_guard lock(mutex_);
      if (stopped_ || jobs_.size() >= max_queued_) return false;
      jobs_.push_back(std::move(job));
    }
    wake_.notify_one();
    return true;
  }

  // Returns once what runs has returned; hands back what was waiting, unrun.
  std::deque<std::function<void()>> Stop() {
    std::deque<std::function<void()>> dropped;
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
      dropped.swap(jobs_);
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
    return dropped;
  }

 private:
  void Loop() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stopped_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
    }
  }

  const size_t max_queued_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const HttpOptions& options, HttpHandler handler)
      : options_(options),
        handler_(std::move(handler)),
        work_(io_.get_executor()),
        acceptor_(io_),
        retry_timer_(io_),
        grace_timer_(io_),
        pool_(options.handler_threads, options.max_queued_requests) {}

  Status Listen();
  void Run() {
    Accept();
    thread_ = std::thread([this] { io_.run(); });
  }
  uint16_t port() const { return port_; }
  void Stop();

 private:
  class Session;
  void Accept();
  void Forget(Session* session);
  void BeginStop();
  void EndStop();
  HttpResponse Handle(const HttpRequest& request) noexcept;

  const HttpOptions options_;
  const HttpHandler handler_;
  asio::io_context io_{1};
  // Keeps the I/O thread until EndStop, for answers of handlers still running.
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_timer_;
  asio::steady_timer grace_timer_;
  uint16_t port_ = 0;
  // Below: on the I/O thread only.
  std::set<Session*> sessions_;
  bool stopping_ = false;
  bool pool_done_ = false;  // no handler runs any more
  // Above.
  std::thread thread_;
  HandlerPool pool_;
};

// One connection. Lives as long as an operation of it is under way. On the I/O thread.
class HttpServer::Impl::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Impl* server, tcp::socket socket) : server_(server), stream_(std::move(socket)) {
    server_->sessions_.insert(this);
  }
  ~Session() { server_->Forget(this); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void ReadHead() {
    parser_.emplace();
    parser_->body_limit(server_->options_.max_body_bytes);
    parser_->header_limit(static_cast<uint32_t>(server_->options_.max_header_bytes));
    waiting_ = true;
    stream_.expires_after(milliseconds(server_->options_.idle_timeout_ms));
    http::async_read_header(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](beast::error_code error, size_t) { self->OnHead(error); });
  }

  // Nothing was asked on this connection, or the answer was given: it can be closed at any time.
  bool waiting() const { return waiting_; }
  void Close() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
    stream_.close();
  }

 private:
  void OnHead(beast::error_code error) {
    if (error) return OnReadError(error);
    stream_.expires_after(milliseconds(server_->options_.body_timeout_ms));
    if (beast::iequals(parser_->get()[http::field::expect], "100-continue")) return Continue();
    ReadBody();
  }

  void Continue() {
    static const std::string kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(kContinue),
                      [self = shared_from_this()](beast::error_code error, size_t) {
                        if (!error) self->ReadBody();
                      });
  }

  void ReadBody() {
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](beast::error_code error, size_t) { self->OnBody(error); });
  }

  void OnReadError(beast::error_code error) {
    if (error == http::error::body_limit) {
      return AnswerAndClose(
          413, Format("the request is larger than {} bytes", server_->options_.max_body_bytes));
    }
    if (error == http::error::header_limit) {
      return AnswerAndClose(431, "the head of the request is too large");
    }
    const bool gone = error == http::error::end_of_stream || error == beast::error::timeout ||
                      error.category() == asio::error::get_system_category() ||
                      error.category() == asio::error::get_misc_category() ||
                      error == http::error::partial_message;
    if (!gone) AnswerAndClose(400, "this is not an HTTP request");
  }

  void OnBody(beast::error_code error) {
    if (error) return OnReadError(error);
    waiting_ = false;
    http::request<http::string_body> message = parser_->release();
    const bool keep = message.keep_alive();
    head_ = message.method() == http::verb::head;
    auto request = std::make_shared<HttpRequest>();
    request->method = std::string(message.method_string());
    const std::string target(message.target());
    const size_t mark = target.find('?');
    request->path = target.substr(0, mark);
    if (mark != std::string::npos) request->query = target.substr(mark + 1);
    request->body = std::move(message.body());
    stream_.expires_never();  // the handler takes the time it takes
    const bool taken =
        !server_->stopping_ && server_->pool_.Submit([server = server_, request, keep,
                                                      self = shared_from_this()]() mutable {
          // The session may be used on the I/O thread only: it goes back there whatever happens.
          HttpResponse response = server->Handle(*request);
          asio::post(server->io_, [self = std::move(self), response = std::move(response), keep] {
            self->Answer(response, keep);
          });
        });
    if (!taken) AnswerAndClose(503, "the server has too many requests waiting; try again");
  }

  void AnswerAndClose(int status, const std::string& text) {
    Answer({status, "application/json", ErrorBody(status, text)}, false);
  }

  void Answer(const HttpResponse& response, bool keep) {
    keep = keep && !server_->stopping_;
    auto& out = response_.emplace();
    out.version(11);
    out.result(static_cast<unsigned>(response.status));
    out.set(http::field::content_type, response.content_type);
    out.keep_alive(keep);
    out.content_length(response.body.size());
    if (!head_) out.body() = response.body;
    stream_.expires_after(milliseconds(server_->options_.write_timeout_ms));
    http::async_write(stream_, out,
                      [self = shared_from_this(), keep](beast::error_code error, size_t) {
                        self->OnWritten(error, keep);
                      });
  }

  void OnWritten(beast::error_code error, bool keep) {
    if (error) return;
    if (keep && !server_->stopping_) return ReadHead();
    // Reads what the client still sends, so that closing does not destroy the answer on its way.
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    waiting_ = true;
    stream_.expires_after(std::chrono::seconds(2));
    Swallow();
  }

  void Swallow() {
    buffer_.clear();
    if (server_->stopping_) return;
    stream_.async_read_some(buffer_.prepare(65536),
                            [self = shared_from_this()](beast::error_code error, size_t) {
                              if (!error) self->Swallow();
                            });
  }

  Impl* const server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
  bool waiting_ = true;
  bool head_ = false;
};

HttpResponse HttpServer::Impl::Handle(const HttpRequest& request) noexcept {
  try {
    return handler_(request);
  } catch (const std::exception& e) {
    LogError("a request for {} ended in an exception: {}", request.path, e.what());
  } catch (...) {
    LogError("a request for {} ended in an exception", request.path);
  }
  return {500, "application/json", ErrorBody(500, "internal error; the server's log says more")};
}

void HttpServer::Impl::Accept() {
  acceptor_.async_accept([this](beast::error_code error, tcp::socket socket) {
    if (stopping_) return;
    if (error) {
      // Out of file handles, most likely: wait for some to come free.
      LogWarn("cannot accept an HTTP connection: {}", error.message());
      retry_timer_.expires_after(milliseconds(100));
      retry_timer_.async_wait([this](beast::error_code stopped) {
        if (!stopped && !stopping_) Accept();
      });
      return;
    }
    beast::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    std::make_shared<Session>(this, std::move(socket))->ReadHead();
    Accept();
  });
}

void HttpServer::Impl::Forget(Session* session) {
  sessions_.erase(session);
  if (stopping_ && pool_done_ && sessions_.empty()) grace_timer_.cancel();
}

Status HttpServer::Impl::Listen() {
  std::string host;
  uint16_t port = 0;
  CDC_RETURN_IF_ERROR(SplitAddress(options_.address, &host, &port));
  const auto fail = [&](const std::string& why) {
    return InvalidError(
        Format("cannot listen on {}: {}; set 'address' in the configuration to a "
               "free host:port",
               options_.address, why));
  };
  beast::error_code error;
  if (host.empty()) host = "::";
  tcp::resolver resolver(io_);
  const auto found = resolver.resolve(host, std::to_string(port), tcp::resolver::passive, error);
  if (error || found.empty()) return fail("unknown host");
  const auto bind = [&](const tcp::endpoint& endpoint) {
    beast::error_code ignored;
    acceptor_.close(ignored);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error && endpoint.address().is_v6()) {
      acceptor_.set_option(asio::ip::v6_only(!endpoint.address().is_unspecified()), error);
    }
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    return !error;
  };
  bool bound = bind(found.begin()->endpoint());
  // A host without IPv6.
  if (!bound && host == "::" && error == asio::error::address_family_not_supported) {
    bound = bind({tcp::v4(), port});
  }
  if (!bound)
    return fail(error == asio::error::address_in_use ? "the port is taken" : error.message());
  port_ = acceptor_.local_endpoint().port();
  return OkStatus();
}

void HttpServer::Impl::BeginStop() {
  stopping_ = true;
  beast::error_code ignored;
  acceptor_.close(ignored);
  retry_timer_.cancel();
  for (Session* session : sessions_) {
    if (session->waiting()) session->Close();
  }
}

void HttpServer::Impl::EndStop() {
  pool_done_ = true;
  work_.reset();
  if (sessions_.empty()) return;
  grace_timer_.expires_after(kAnswerGrace);
  grace_timer_.async_wait([this](beast::error_code) {
    for (Session* session : sessions_) session->Close();
  });
}

void HttpServer::Impl::Stop() {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] { BeginStop(); });
  // Requests that never got a thread end with their sessions, which die on the I/O thread only.
  asio::post(io_, [this, dropped = pool_.Stop()]() mutable {
    dropped.clear();
    EndStop();
  });
  thread_.join();  // ends once the last session is gone
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() {
  Stop();
}
uint16_t HttpServer::port() const {
  return impl_->port();
}
void HttpServer::Stop() {
  impl_->Stop();
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpOptions& options,
                                                      HttpHandler handler) {
  auto impl = std::make_unique<Impl>(options, std::move(handler));
  CDC_RETURN_IF_ERROR(impl->Listen());
  impl->Run();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

Status SplitAddress(const std::string& address, std::string* host, uint16_t* port) {
  const size_t colon = address.rfind(':');
  const auto wrong = [&] {
    return InvalidError(
        Format("the address '{}' is not host:port, such as 127.0.0.1:8444", address));
  };
  if (colon == std::string::npos) return wrong();
  const char* const end = address.data() + address.size();
  const auto [stop, failed] = std::from_chars(address.data() + colon + 1, end, *port);
  if (failed != std::errc() || stop != end) return wrong();
  *host = address.substr(0, colon);
  if (host->size() >= 2 && host->front() == '[' && host->back() == ']') {
    *host = host->substr(1, host->size() - 2);
  } else if (host->find(':') != std::string::npos) {
    return wrong();
  }
  return OkStatus();
}

}  // namespace cdc
