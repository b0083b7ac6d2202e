// What no client can do to the HTTP server: hold it up, fill it, or keep it busy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <mutex>
#include <vector>

#include "server/http_client_for_tests.h"
#include "server/http_server_for_tests.h"

namespace cdc {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

using Client = HttpTestClient;

TEST(HttpLimitsTest, ByteByByteBuysNoTime) {
  HttpOptions options;
  options.head_timeout_ms = 100;
  options.body_timeout_ms = 100;
  auto server = StartForTest(EchoBody, options);
  for (const char* text :
       {"GET / HTTP/1.1\r\nX: ", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n"}) {
    EXPECT_TRUE(Client(server->port()).ClosedWhileDripping(text)) << text;
  }
}

TEST(HttpLimitsTest, ConnectionsHaveALimit) {
  HttpOptions options;
  options.max_connections = 2;
  auto server = StartForTest(EchoBody, options);
  auto a = std::make_unique<Client>(server->port());
  Client b(server->port());
  for (Client* client : {a.get(), &b}) {
    client->Send(PostRequest("x"));
    EXPECT_THAT(client->Receive(), StartsWith("HTTP/1.1 200"));
  }
  Client third(server->port());
  third.Send(PostRequest("x"));
  EXPECT_THAT(third.Receive(), StartsWith("HTTP/1.1 503"));
  EXPECT_TRUE(third.Closed());
  b.Send(PostRequest("still served"));
  EXPECT_THAT(b.Receive(), testing::EndsWith("still served"));
  a.reset();
  // The server sees the end of `a` (and of `third`) when it gets to it.
  std::string answer;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (answer.rfind("HTTP/1.1 200", 0) != 0 && std::chrono::steady_clock::now() < end) {
    Client next(server->port());
    next.Send(PostRequest("x"));
    answer = next.Receive();
  }
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
}

TEST(HttpLimitsTest, LargeBodiesUnderWayHaveALimit) {
  HttpOptions options;
  options.max_bodies_bytes = 300'000;
  auto server = StartForTest(EchoBody, options);
  const std::string large(200'000, 'x');
  Client first(server->port());
  first.Send(
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 200000\r\n\r\n");
  EXPECT_THAT(first.Receive(), StartsWith("HTTP/1.1 100"));
  Client second(server->port());
  second.Send(PostRequest(large));
  EXPECT_THAT(second.Receive(), StartsWith("HTTP/1.1 503"));
  Client small(server->port());
  small.Send(PostRequest("small"));
  EXPECT_THAT(small.Receive(), testing::EndsWith("small"));
  first.Send(large);
  EXPECT_THAT(first.Receive(), StartsWith("HTTP/1.1 200"));
  for (int i = 0; i < 3; ++i) {  // its room is free again, every time
    small.Send(PostRequest(large));
    EXPECT_THAT(small.Receive(), StartsWith("HTTP/1.1 200"));
  }
}

TEST(HttpLimitsTest, HandlersHaveATimeLimit) {
  HttpOptions options;
  options.handler_threads = 1;
  options.request_timeout_ms = 50;
  std::promise<void> release, entered;
  auto wait = release.get_future().share();
  std::mutex mutex;
  std::vector<std::string> handled;
  auto server = StartForTest(
      [&](const HttpRequest& r) {
        {
          std::lock_guard lock(mutex);
          handled.push_back(r.body);
        }
        if (r.body == "slow") {
          entered.set_value();
          wait.wait();
        }
        return EchoBody(r);
      },
      options);
  Client slow(server->port()), queued(server->port());
  slow.Send(PostRequest("slow"));
  entered.get_future().wait();
  queued.Send(PostRequest("queued"));
  EXPECT_THAT(slow.Receive(), StartsWith("HTTP/1.1 504"));
  EXPECT_TRUE(slow.Closed());
  const std::string refused = queued.Receive();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(refused, HasSubstr("too busy to begin"));
  release.set_value();
  std::string answer;
  while (answer.rfind("HTTP/1.1 200", 0) != 0) {  // the thread is free soon
    Client next(server->port());
    next.Send(PostRequest("next"));
    answer = next.Receive();
  }
  server->Stop();
  // What was refused as not begun never ran.
  EXPECT_THAT(handled, testing::Not(testing::Contains("queued")));
}

}  // namespace
}  // namespace cdc
