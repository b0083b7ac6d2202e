#include "server/http_server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <charconv>
#include <thread>

#include "base/format.h"
#include "base/log.h"
#include "server/http_session_impl.h"
#include "server/http_tls_impl.h"

namespace cdc {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;
using std::chrono::milliseconds;

constexpr milliseconds kAnswerGrace{500};  // for answers on their way when stopping
constexpr size_t kRefusals = 64;           // connections beyond the limit that are told so

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const HttpOptions& options, HttpHandler handler)
      : shared_(options, std::move(handler)),
        work_(shared_.io.get_executor()),
        acceptor_(shared_.io),
        retry_timer_(shared_.io),
        grace_timer_(shared_.io) {
    shared_.session_ended = [this] {
      if (pool_done_ && shared_.sessions.empty()) grace_timer_.cancel();
    };
  }

  Status Listen();
  void Run() {
    Accept();
    thread_ = std::thread([this] { shared_.io.run(); });
  }
  uint16_t port() const { return port_; }
  void Stop();

 private:
  void Accept();
  void Take(tcp::socket socket);
  void BeginStop();
  void EndStop();

  HttpShared shared_;
  std::unique_ptr<asio::ssl::context> tls_;  // null: plain TCP
  // Keeps the I/O thread until EndStop, for answers of handlers still running.
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_timer_;
  asio::steady_timer grace_timer_;
  uint16_t port_ = 0;
  // On the I/O thread.
  bool full_ = false;
  bool pool_done_ = false;  // no handler runs any more
  std::thread thread_;
};

void HttpServer::Impl::Accept() {
  acceptor_.async_accept([this](beast::error_code error, tcp::socket socket) {
    if (shared_.stopping) return;
    if (error) {
      // Out of file handles, most likely: wait for some to come free.
      LogWarn("cannot accept an HTTP connection: {}", error.message());
      retry_timer_.expires_after(milliseconds(100));
      retry_timer_.async_wait([this](beast::error_code stopped) {
        if (!stopped && !shared_.stopping) Accept();
      });
      return;
    }
    Take(std::move(socket));
    Accept();
  });
}

void HttpServer::Impl::Take(tcp::socket socket) {
  beast::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  const size_t max = shared_.options.max_connections;
  const bool full = shared_.sessions.size() - shared_.refused >= max;
  if (full && !full_) {
    LogWarn("{} HTTP connections are open: more are refused (http.maxConnections)", max);
  }
  full_ = full;
  if (!full) return HttpSession::Serve(&shared_, std::move(socket), tls_.get());
  if (tls_ != nullptr || shared_.refused >= kRefusals) return;  // closed
  HttpSession::Refuse(&shared_, std::move(socket));
}

Status HttpServer::Impl::Listen() {
  CDC_ASSIGN_OR_RETURN(tls_, MakeTlsContext(shared_.options.tls));
  std::string host;
  uint16_t port = 0;
  CDC_RETURN_IF_ERROR(SplitAddress(shared_.options.address, &host, &port));
  const auto fail = [&](const std::string& why) {
    return InvalidError(
        Format("cannot listen on {}: {}; set 'address' in the configuration to a "
               "free host:port",
               shared_.options.address, why));
  };
  beast::error_code error;
  if (host.empty()) host = "::";
  tcp::resolver resolver(shared_.io);
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
  shared_.stopping = true;
  beast::error_code ignored;
  acceptor_.close(ignored);
  retry_timer_.cancel();
  for (HttpSession* session : shared_.sessions) {
    if (session->waiting()) session->Close();
  }
}

void HttpServer::Impl::EndStop() {
  pool_done_ = true;
  work_.reset();
  if (shared_.sessions.empty()) return;
  grace_timer_.expires_after(kAnswerGrace);
  grace_timer_.async_wait([this](beast::error_code) {
    for (HttpSession* session : shared_.sessions) session->Close();
  });
}

void HttpServer::Impl::Stop() {
  if (!thread_.joinable()) return;
  asio::post(shared_.io, [this] { BeginStop(); });
  // Requests that never got a thread end with their sessions, which die on the I/O thread only.
  asio::post(shared_.io, [this, dropped = shared_.pool.Stop()]() mutable {
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
