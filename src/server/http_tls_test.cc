// The HTTP server on TLS, against OpenSSL's own client.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "server/certificates_for_tests.h"
#include "server/http_client_for_tests.h"
#include "server/http_server_for_tests.h"

namespace cdc {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class HttpTlsTest : public testing::Test {
 protected:
  struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  using Context = std::unique_ptr<SSL_CTX, FreeContext>;

  HttpTlsTest() { signal(SIGPIPE, SIG_IGN); }  // OpenSSL writes to connections that are closed

  HttpOptions Options() const {
    HttpOptions options;
    options.tls.cert_file = certificates_.Path("server.pem");
    options.tls.key_file = certificates_.Path("server.key");
    return options;
  }
  HttpOptions MutualOptions() const {
    HttpOptions options = Options();
    options.tls.client_ca_file = certificates_.Path("ca.pem");
    return options;
  }
  std::unique_ptr<HttpServer> Start(const HttpOptions& options, HttpHandler handler = EchoBody) {
    return StartForTest(std::move(handler), options);
  }
  // A client that checks the server, and shows the certificate `name` unless that is empty.
  Context ClientContext(const std::string& name = "") const {
    Context context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    EXPECT_EQ(
        SSL_CTX_load_verify_locations(context.get(), certificates_.Path("ca.pem").c_str(), nullptr),
        1);
    if (name.empty()) return context;
    const std::string pem = certificates_.Path(name + ".pem");
    const std::string key = certificates_.Path(name + ".key");
    EXPECT_EQ(SSL_CTX_use_certificate_file(context.get(), pem.c_str(), SSL_FILETYPE_PEM), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM), 1);
    return context;
  }

  const TestCertificates certificates_;
};

TEST_F(HttpTlsTest, KeepsThePromisesOfPlainConnections) {
  auto server = Start(Options());
  const Context context = ClientContext();
  HttpTestClient client(server->port(), context.get());
  ASSERT_TRUE(client.connected());
  client.Send(PostRequest("1") + PostRequest("2"));
  EXPECT_THAT(client.Receive(), EndsWith("1"));
  EXPECT_THAT(client.Receive(), EndsWith("2"));
  const std::string large(3'000'000, 'x');
  client.Send(PostRequest(large));
  EXPECT_THAT(client.Receive(), EndsWith(large));
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.1 100"));
  client.Send("ab");
  EXPECT_THAT(client.Receive(), EndsWith("ab"));
  client.Send(PostRequest("last", "Connection: close\r\n"));
  EXPECT_THAT(client.Receive(), EndsWith("last"));
  // The end is told, so that nobody can cut an answer short unseen.
  char byte = 0;
  EXPECT_EQ(SSL_get_error(client.ssl(), SSL_read(client.ssl(), &byte, 1)), SSL_ERROR_ZERO_RETURN);
}

TEST_F(HttpTlsTest, WhatIsTooLargeIsAnswered) {
  HttpOptions options = Options();
  options.max_body_bytes = 1000;
  auto server = Start(options);
  const Context context = ClientContext();
  HttpTestClient client(server->port(), context.get());
  client.Send(PostRequest(std::string(1001, 'x')));
  EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.1 413"));
}

TEST_F(HttpTlsTest, NothingOlderThanTls12) {
  auto server = Start(Options());
  for (const int version : {TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION}) {
    const Context context = ClientContext();
    SSL_CTX_set_security_level(context.get(), 0);  // or the client itself would refuse
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
    EXPECT_EQ(HttpTestClient(server->port(), context.get()).connected(), version != TLS1_1_VERSION)
        << version;
  }
}

TEST_F(HttpTlsTest, OnlyClientsOfTheCaComeIn) {
  auto server = Start(MutualOptions());
  for (const char* name : {"", "stranger", "client"}) {
    const Context context = ClientContext(name);
    HttpTestClient client(server->port(), context.get());
    client.Send(PostRequest("secret"));
    if (std::string(name) == "client") {
      EXPECT_THAT(client.Receive(), EndsWith("secret"));
    } else {
      EXPECT_EQ(client.Receive(), "") << name;
    }
  }
}

TEST_F(HttpTlsTest, ClientsWithCertificatesCanResume) {
  auto server = Start(MutualOptions());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const Context context = ClientContext("client");
    SSL_CTX_set_max_proto_version(context.get(), version);
    HttpTestClient first(server->port(), context.get());
    first.Send(PostRequest("first"));
    EXPECT_THAT(first.Receive(), EndsWith("first"));
    SSL_SESSION* const session = SSL_get1_session(first.ssl());
    HttpTestClient again(server->port(), context.get(), session);
    again.Send(PostRequest("again"));
    EXPECT_THAT(again.Receive(), EndsWith("again"));
    EXPECT_EQ(SSL_session_reused(again.ssl()), 1) << version;
    SSL_SESSION_free(session);
  }
}

TEST_F(HttpTlsTest, PlainHttpIsToldWhatIsWrong) {
  auto server = Start(Options());
  HttpTestClient client(server->port());
  client.Send(PostRequest("x"));
  const std::string answer = client.Receive();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(answer, EndsWith("use https://\n"));
}

TEST_F(HttpTlsTest, SlowHandshakesAreGivenUp) {
  HttpOptions options = Options();
  options.handshake_timeout_ms = 100;
  auto server = Start(options);
  const std::string hello("\x16\x03\x01\x3f\xff", 5);  // a record that never gets complete
  EXPECT_TRUE(HttpTestClient(server->port()).Closed());
  EXPECT_TRUE(HttpTestClient(server->port()).ClosedWhileDripping(hello));
}

TEST_F(HttpTlsTest, ConnectionsBeyondTheLimitAreClosed) {
  HttpOptions options = Options();
  options.max_connections = 1;
  auto server = Start(options);
  const Context context = ClientContext();
  HttpTestClient first(server->port(), context.get());
  ASSERT_TRUE(first.connected());
  EXPECT_FALSE(HttpTestClient(server->port(), context.get()).connected());
  first.Send(PostRequest("served"));
  EXPECT_THAT(first.Receive(), EndsWith("served"));
}

TEST_F(HttpTlsTest, StoppingLetsTheAnswerOut) {
  std::promise<void> release, entered;
  auto wait = release.get_future().share();
  auto server = Start(Options(), [&](const HttpRequest& r) {
    entered.set_value();
    wait.wait();
    return EchoBody(r);
  });
  const Context context = ClientContext();
  HttpTestClient idle(server->port(), context.get()), busy(server->port(), context.get());
  busy.Send(PostRequest("last"));
  entered.get_future().wait();
  std::thread stopper([&] { server->Stop(); });
  release.set_value();
  EXPECT_THAT(busy.Receive(), EndsWith("last"));
  stopper.join();
  EXPECT_EQ(idle.Receive(), "");
}

TEST_F(HttpTlsTest, FilesThatCannotBeUsedAreNamed) {
  const auto path = [&](const char* name) { return certificates_.Path(name); };
  std::ofstream(path("text")) << "this is no certificate\n";
  std::ofstream(path("empty"));
  std::filesystem::create_directory(path("folder"));
  const std::string pem = path("server.pem"), key = path("server.key");
  const struct {
    HttpTls tls;
    std::vector<std::string> words;
  } cases[] = {
      {{"", key, ""}, {"keyFile", "without security.tls.certFile"}},
      {{"", "", path("ca.pem")}, {"clientCaFile", "without security.tls.certFile"}},
      {{pem, "", ""}, {"without security.tls.keyFile"}},
      {{path("none"), key, ""}, {"certFile", path("none"), "No such file"}},
      {{path("folder"), key, ""}, {"certFile", path("folder"), "cannot be read"}},
      {{path("empty"), key, ""}, {"certFile", path("empty"), "cannot be read"}},
      {{path("text"), key, ""}, {"certFile", path("text"), "holds no certificate in PEM"}},
      {{pem, path("none"), ""}, {"keyFile", path("none"), "No such file"}},
      {{pem, path("text"), ""}, {"keyFile", path("text"), "is not the private key of " + pem}},
      {{pem, path("client.key"), ""}, {"keyFile", "is not the private key of " + pem}},
      {{pem, path("locked.key"), ""}, {"keyFile", "without a passphrase"}},
      {{pem, key, path("none")}, {"clientCaFile", path("none"), "No such file"}},
      {{pem, key, path("server.key")}, {"clientCaFile", "holds no certificate in PEM"}},
  };
  for (const auto& c : cases) {
    HttpOptions options;
    options.tls = c.tls;
    Result<std::unique_ptr<HttpServer>> server = HttpServer::Start(options, EchoBody);
    ASSERT_FALSE(server.ok()) << c.words[0];
    EXPECT_EQ(server.error().kind, ErrorKind::kInvalid);
    for (const std::string& word : c.words) EXPECT_THAT(server.error().message, HasSubstr(word));
    EXPECT_EQ(CheckTls(c.tls).ok(), false);
  }
  EXPECT_TRUE(CheckTls({}).ok());
  EXPECT_EQ(TlsWarning(Options().tls), "");
  const HttpTls old{path("old.pem"), path("old.key"), ""};
  EXPECT_TRUE(CheckTls(old).ok());
  EXPECT_THAT(TlsWarning(old), HasSubstr("old.pem has expired"));
  EXPECT_TRUE(CheckTls(MutualOptions().tls).ok());
}

}  // namespace
}  // namespace cdc
