// A blocking client of an HTTP server on this host, over TCP or TLS, that sends exactly what a test
// says. Not part of the product.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

namespace cdc {

class HttpTestClient {
 public:
  // `tls` is not owned, null: plain TCP. `resume`: a session to go on with.
  explicit HttpTestClient(uint16_t port, SSL_CTX* tls = nullptr, SSL_SESSION* resume = nullptr)
      : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0;
    timeval limit = {10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (tls == nullptr || !connected_) return;
    ssl_ = SSL_new(tls);
    SSL_set_fd(ssl_, fd_);
    if (resume != nullptr) SSL_set_session(ssl_, resume);
    connected_ = SSL_connect(ssl_) == 1;
  }
  ~HttpTestClient() {
    SSL_free(ssl_);
    close(fd_);
  }
  HttpTestClient(const HttpTestClient&) = delete;
  HttpTestClient& operator=(const HttpTestClient&) = delete;

  bool connected() const { return connected_; }
  SSL* ssl() const { return ssl_; }

  void Send(const std::string& text) {
    size_t sent = 0;
    while (sent < text.size()) {
      const char* const from = text.data() + sent;
      const size_t left = text.size() - sent;
      const ssize_t n = ssl_ != nullptr ? SSL_write(ssl_, from, static_cast<int>(left))
                                        : send(fd_, from, left, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<size_t>(n);
    }
  }
  // One answer with its body; empty when the connection ended instead.
  std::string Receive() {
    size_t head = std::string::npos;
    while ((head = data_.find("\r\n\r\n")) == std::string::npos) {
      if (!More()) return Take(data_.size());
    }
    size_t length = 0;
    const size_t field = data_.find("Content-Length: ");
    if (field < head) length = std::stoul(data_.substr(field + 16));
    if (data_.find("100 Continue") < head) length = 0;
    while (data_.size() < head + 4 + length && More()) {
    }
    return Take(head + 4 + length);
  }
  // Waits for the server to close; false when it says something or lets the wait run out.
  bool Closed() {
    char byte = 0;
    const ssize_t n = recv(fd_, &byte, 1, 0);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
  }
  // Sends `text`, then one byte after the other until the server closes; false: it never does.
  bool ClosedWhileDripping(const std::string& text) {
    Send(text);
    for (int i = 0; i < 5000; ++i) {
      char byte = 0;
      const ssize_t n = recv(fd_, &byte, 1, MSG_DONTWAIT);
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) return true;
      Send("x");
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }

 private:
  bool More() {
    char buffer[16384];
    const ssize_t n = ssl_ != nullptr ? SSL_read(ssl_, buffer, sizeof(buffer))
                                      : recv(fd_, buffer, sizeof(buffer), 0);
    if (n <= 0) return false;
    data_.append(buffer, static_cast<size_t>(n));
    return true;
  }
  std::string Take(size_t n) {
    std::string taken = data_.substr(0, n);
    data_.erase(0, n);
    return taken;
  }

  int fd_;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
  std::string data_;
};

// A request as a client would write it.
inline std::string PostRequest(const std::string& body, const std::string& extra = "") {
  return "POST /cdc?x=1 HTTP/1.1\r\nHost: a\r\n" + extra +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace cdc
