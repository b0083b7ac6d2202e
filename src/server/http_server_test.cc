#include "server/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

#include "server/http_client_for_tests.h"
#include "server/http_server_for_tests.h"

namespace cdc {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

using Client = HttpTestClient;

HttpResponse Echo(const HttpRequest& r) {
  return {200, "text/plain", r.method + " " + r.path + " [" + r.query + "] " + r.body, {}};
}

TEST(HttpServerTest, AnswersAndKeepsTheConnection) {
  auto server = StartForTest(Echo);
  Client client(server->port());
  for (const char* body : {"one", "", "three"}) {
    client.Send(PostRequest(body));
    const std::string answer = client.Receive();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain\r\n"));
    EXPECT_THAT(answer, HasSubstr(std::string("\r\n\r\nPOST /cdc [x=1] ") + body));
  }
}

TEST(HttpServerTest, ServesPipelinedRequestsInOrder) {
  auto server = StartForTest(Echo);
  Client client(server->port());
  client.Send(PostRequest("1") + PostRequest("2") + PostRequest("3"));
  for (const char* body : {"1", "2", "3"}) EXPECT_THAT(client.Receive(), testing::EndsWith(body));
}

TEST(HttpServerTest, ClosesWhenAsked) {
  auto server = StartForTest(Echo);
  Client client(server->port());
  client.Send(PostRequest("x", "Connection: close\r\n"));
  EXPECT_THAT(client.Receive(), testing::EndsWith("x"));
  EXPECT_TRUE(client.Closed());
}

TEST(HttpServerTest, HeadHasNoBody) {
  auto server = StartForTest(Echo);
  Client client(server->port());
  client.Send("HEAD /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string answer = client.Receive();
  EXPECT_THAT(answer, HasSubstr("Content-Length: 11\r\n"));
  EXPECT_THAT(answer, testing::EndsWith("\r\n\r\n"));
}

TEST(HttpServerTest, SaysContinue) {
  auto server = StartForTest(Echo);
  Client client(server->port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.1 100 Continue"));
  client.Send("ab");
  EXPECT_THAT(client.Receive(), testing::EndsWith("ab"));
}

TEST(HttpServerTest, BodyLimit) {
  HttpOptions options;
  options.max_body_bytes = 1000;
  auto server = StartForTest(Echo, options);
  Client fits(server->port());
  fits.Send(PostRequest(std::string(1000, 'x')));
  EXPECT_THAT(fits.Receive(), StartsWith("HTTP/1.1 200"));
  Client announced(server->port());
  announced.Send(PostRequest(std::string(1001, 'x')));
  EXPECT_THAT(announced.Receive(), StartsWith("HTTP/1.1 413"));
  Client chunked(server->port());
  chunked.Send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
               std::string(1001, 'x') + "\r\n0\r\n\r\n");
  EXPECT_THAT(chunked.Receive(), StartsWith("HTTP/1.1 413"));
}

TEST(HttpServerTest, SixteenMebibytesFitByDefault) {
  auto server = StartForTest([](const HttpRequest& r) {
    return HttpResponse{200, "text/plain", std::to_string(r.body.size())};
  });
  Client client(server->port());
  client.Send(PostRequest(std::string(16 << 20, 'x')));
  EXPECT_THAT(client.Receive(), testing::EndsWith("16777216"));
  Client larger(server->port());
  larger.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16777217\r\n\r\n");
  EXPECT_THAT(larger.Receive(), StartsWith("HTTP/1.1 413"));
}

TEST(HttpServerTest, WhatIsNotHttpIsRefused) {
  auto server = StartForTest(Echo);
  for (const std::string& text :
       {std::string("hello\r\n\r\n"), std::string("\x16\x03\x01\x02\x00\r\n\r\n", 9),
        std::string("GET / HTTP/1.1\r\nContent-Length: abc\r\n\r\n")}) {
    Client client(server->port());
    client.Send(text);
    EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.1 400")) << text;
  }
  Client client(server->port());
  client.Send("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n");
  EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.1 431"));
}

TEST(HttpServerTest, HandlerThatThrowsIsAnswered500) {
  auto server =
      StartForTest([](const HttpRequest&) -> HttpResponse { throw std::runtime_error("boom"); });
  Client client(server->port());
  for (int i = 0; i < 2; ++i) {
    client.Send(PostRequest("x"));
    const std::string answer = client.Receive();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500"));
    EXPECT_EQ(answer.find("boom"), std::string::npos);
  }
}

TEST(HttpServerTest, IdleConnectionsDoNotStarveRequests) {
  HttpOptions options;
  options.handler_threads = 2;
  auto server = StartForTest(Echo, options);
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < 200; ++i) {
    idle.push_back(std::make_unique<Client>(server->port()));
    // Half of them with a request that never gets complete.
    if (i % 2 == 0) idle.back()->Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
  }
  Client client(server->port());
  client.Send(PostRequest("now"));
  EXPECT_THAT(client.Receive(), testing::EndsWith("now"));
}

TEST(HttpServerTest, SlowClientsAreGivenUp) {
  HttpOptions options;
  options.idle_timeout_ms = 50;
  options.head_timeout_ms = 50;
  options.body_timeout_ms = 50;
  auto server = StartForTest(Echo, options);
  for (const char* text :
       {"", "GET / HT", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"}) {
    Client client(server->port());
    client.Send(text);
    EXPECT_TRUE(client.Closed()) << text;
  }
}

TEST(HttpServerTest, FieldsReachTheHandlerAndTheClient) {
  auto server = StartForTest([](const HttpRequest& r) {
    HttpResponse response{201, r.content_type, r.authorization, {}};
    response.headers = {{"Location", "/api/v1/tasks/t"},
                        {"WWW-Authenticate", "Bearer"},
                        {"X-Split", "a\r\nX-Injected: b"}};
    return response;
  });
  Client client(server->port());
  client.Send(PostRequest(
      "x", "authorization: Bearer abc\r\nContent-Type: application/json; charset=utf-8\r\n"));
  const std::string answer = client.Receive();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 201 Created\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: application/json; charset=utf-8\r\n"));
  EXPECT_THAT(answer, HasSubstr("Location: /api/v1/tasks/t\r\n"));
  EXPECT_THAT(answer, HasSubstr("WWW-Authenticate: Bearer\r\n"));
  EXPECT_THAT(answer, testing::Not(HasSubstr("Injected")));
  EXPECT_THAT(answer, testing::EndsWith("\r\n\r\nBearer abc"));
}

TEST(HttpServerTest, APageFromElsewhereIsTold) {
  auto server = StartForTest([](const HttpRequest& r) {
    return HttpResponse{200, "text/plain", r.from_another_site ? "elsewhere" : "here", {}};
  });
  Client client(server->port());
  for (const auto& [header, expected] : {std::pair<std::string, std::string>{"", "here"},
                                         {"Origin: http://a\r\n", "here"},
                                         {"Origin: https://evil.example\r\n", "elsewhere"},
                                         {"Origin: http://a:81\r\n", "elsewhere"},
                                         {"Origin: null\r\n", "elsewhere"}}) {
    client.Send(PostRequest("x", header));
    EXPECT_THAT(client.Receive(), testing::EndsWith("\r\n\r\n" + expected)) << header;
  }
}

TEST(HttpServerTest, NoContentHasNoBody) {
  auto server = StartForTest([](const HttpRequest& r) {
    return r.method == "DELETE" ? HttpResponse{204, "application/json", "never sent", {}} : Echo(r);
  });
  Client client(server->port());
  client.Send("DELETE /a HTTP/1.1\r\nHost: a\r\n\r\n" + PostRequest("next"));
  const std::string answer = client.Receive();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(answer, testing::Not(HasSubstr("Content-")));
  EXPECT_THAT(client.Receive(), testing::EndsWith("] next"));
}

TEST(HttpServerTest, OlderClientsMayKeepTheConnection) {
  auto server = StartForTest(Echo);
  Client client(server->port());
  for (int i = 0; i < 2; ++i) {
    client.Send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const std::string answer = client.Receive();
    EXPECT_THAT(answer, StartsWith("HTTP/1.0 200"));
    EXPECT_THAT(answer, HasSubstr("Connection: keep-alive\r\n"));
  }
  client.Send("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.0 200"));
  EXPECT_TRUE(client.Closed());
}

TEST(HttpServerTest, FullQueueIsAnswered503) {
  HttpOptions options;
  options.handler_threads = 1;
  options.max_queued_requests = 1;
  std::promise<void> release, entered;
  auto wait = release.get_future().share();
  std::atomic<bool> first{true};
  auto server = StartForTest(
      [&](const HttpRequest& r) {
        if (first.exchange(false)) entered.set_value();
        wait.wait();
        return Echo(r);
      },
      options);
  Client running(server->port());
  running.Send(PostRequest("running"));
  entered.get_future().wait();
  // One of these two takes the queue's place, the other is refused, whichever arrives first.
  Client a(server->port()), b(server->port());
  a.Send(PostRequest("a"));
  b.Send(PostRequest("b"));
  std::promise<std::string> answer_a;
  std::thread reader([&] { answer_a.set_value(a.Receive()); });
  std::thread releaser;
  auto from_a = answer_a.get_future();
  // Whoever was refused is answered while the handler still holds the only thread.
  std::promise<std::string> answer_b;
  std::thread reader_b([&] { answer_b.set_value(b.Receive()); });
  auto from_b = answer_b.get_future();
  while (from_a.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready &&
         from_b.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
  }
  release.set_value();
  const std::string both = from_a.get() + from_b.get();
  EXPECT_THAT(both, HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(both, HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(running.Receive(), HasSubstr("running"));
  reader.join();
  reader_b.join();
}

TEST(HttpServerTest, StopsWithinASecondAndLetsTheAnswerOut) {
  std::promise<void> release, entered;
  auto wait = release.get_future().share();
  auto server = StartForTest([&](const HttpRequest& r) {
    entered.set_value();
    wait.wait();
    return Echo(r);
  });
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < 20; ++i) idle.push_back(std::make_unique<Client>(server->port()));
  idle[0]->Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
  Client busy(server->port());
  busy.Send(PostRequest("last"));
  entered.get_future().wait();
  std::thread stopper([&] { server->Stop(); });
  EXPECT_TRUE(idle[1]->Closed());  // at once, although a handler still runs
  const auto begin = std::chrono::steady_clock::now();
  release.set_value();
  EXPECT_THAT(busy.Receive(), testing::EndsWith("last"));
  stopper.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
  EXPECT_FALSE(Client(server->port()).connected());
  server->Stop();
}

TEST(HttpServerTest, TakenPortIsNamed) {
  auto server = StartForTest(Echo);
  HttpOptions options;
  options.address = "127.0.0.1:" + std::to_string(server->port());
  Result<std::unique_ptr<HttpServer>> second = HttpServer::Start(options, Echo);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().message, HasSubstr(options.address + ": the port is taken"));
}

TEST(HttpServerTest, AddressesAreChecked) {
  const struct {
    const char* address;
    const char* host;
    int port;  // -1: refused
  } cases[] = {
      {"127.0.0.1:8444", "127.0.0.1", 8444},
      {":8444", "", 8444},
      {"[::1]:80", "::1", 80},
      {"localhost:0", "localhost", 0},
      {"localhost", "", -1},
      {"::1:80", "", -1},
      {"a:70000", "", -1},
      {"a:", "", -1},
      {"a:8x", "", -1},
      {"", "", -1},
      {"http://a:80", "", -1},
  };
  for (const auto& c : cases) {
    std::string host;
    uint16_t port = 0;
    const Status status = SplitAddress(c.address, &host, &port);
    EXPECT_EQ(status.ok(), c.port >= 0) << c.address;
    if (c.port < 0) continue;
    EXPECT_EQ(host, c.host);
    EXPECT_EQ(port, c.port);
  }
  HttpOptions options;
  options.address = "no.such.host.invalid:8444";
  EXPECT_FALSE(HttpServer::Start(options, Echo).ok());
}

TEST(HttpServerTest, EveryInterface) {
  HttpOptions options;
  options.address = ":0";
  Result<std::unique_ptr<HttpServer>> server = HttpServer::Start(options, Echo);
  ASSERT_TRUE(server.ok()) << server.error().message;
  Client client((*server)->port());
  client.Send(PostRequest("x"));
  EXPECT_THAT(client.Receive(), testing::EndsWith("x"));
}

}  // namespace
}  // namespace cdc
