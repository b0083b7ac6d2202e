#include "server/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/certificates_for_tests.h"
#include "server/http_client_for_tests.h"

namespace cdc {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kToken = "s3cret-token";

HttpResponse Yes(const HttpRequest&) {
  return {200, "application/json", "{}", {}};
}

int StatusOf(const std::string& path, const std::string& authorization) {
  HttpRequest request;
  request.path = path;
  request.authorization = authorization;
  return RequireToken(kToken, Yes)(request).status;
}

TEST(AccessTest, OnlyTheTokenOpens) {
  EXPECT_EQ(StatusOf("/cdc", "Bearer s3cret-token"), 200);
  EXPECT_EQ(StatusOf("/cdc", "bearer  s3cret-token"), 200);
  for (const char* wrong : {"", "Bearer", "Bearer ", "Bearer s3cret-toke", "Bearer s3cret-token ",
                            "Bearer S3cret-token", "Bearer s3cret-token2", "Basic s3cret-token",
                            "s3cret-token", "Bearer\ts3cret-token"}) {
    for (const char* path : {"/cdc", "/metrics", "/api/v1/tasks", "/healthz/x", "/"}) {
      EXPECT_EQ(StatusOf(path, wrong), 401) << path << " " << wrong;
    }
  }
  EXPECT_EQ(StatusOf("/healthz", ""), 200);
}

TEST(AccessTest, RefusalsHaveTheFormOfTheEndpointAndNoToken) {
  HttpRequest request;
  request.authorization = "Bearer wrong-token";
  for (const char* path : {"/cdc", "/api/v1/tasks"}) {
    request.path = path;
    const HttpResponse response = RequireToken(kToken, Yes)(request);
    EXPECT_THAT(response.headers,
                testing::Contains(testing::Pair("WWW-Authenticate", StartsWith("Bearer"))));
    EXPECT_THAT(response.body, Not(HasSubstr("s3cret")));
    EXPECT_THAT(response.body, Not(HasSubstr("wrong-token")));
    if (request.path == "/cdc") {
      EXPECT_EQ(response.content_type, "application/json");
      EXPECT_THAT(response.body, StartsWith("{\"code\":401,\"message\":\""));
    } else {
      EXPECT_EQ(response.content_type, "application/problem+json");
      EXPECT_THAT(response.body, AllOf(HasSubstr("\"status\":401"), HasSubstr("\"detail\":\"")));
    }
  }
}

TEST(AccessTest, WarnsOfWhatAnybodyCouldReach) {
  const struct {
    const char* address;
    const char* token;
    bool tls, clients, insecure;
    const char* warning;  // empty: none
  } cases[] = {
      {"127.0.0.1:8444", "", false, false, false, ""},
      {"127.8.9.1:8444", "", false, false, false, ""},
      {"localhost:8444", "", false, false, false, ""},
      {"[::1]:8444", "", false, false, false, ""},
      {"0.0.0.0:8444", "", false, false, false, "anybody who reaches 0.0.0.0:8444"},
      {":8444", "", false, false, false, "anybody who reaches"},
      {"[::]:8444", "", false, false, false, "anybody who reaches"},
      {"10.0.0.1:8444", "", true, false, false, "anybody who reaches"},
      {"10.0.0.1:8444", "", true, true, false, ""},
      {"10.0.0.1:8444", "", false, false, true, ""},
      {"10.0.0.1:8444", kToken, false, false, false, "the API token can be read on the way"},
      {"10.0.0.1:8444", kToken, false, false, true, ""},
      {"10.0.0.1:8444", kToken, true, false, false, ""},
      {"127.0.0.1:8444", kToken, false, false, false, ""},
  };
  for (const auto& c : cases) {
    ServerConfig config;
    config.address = c.address;
    config.security.api_token = c.token;
    config.security.insecure_listen = c.insecure;
    if (c.tls) config.security.tls_cert_file = "server.pem";
    if (c.clients) config.security.tls_client_ca_file = "ca.pem";
    const std::vector<std::string> warnings = ListenerWarnings(config);
    if (std::string(c.warning).empty()) {
      EXPECT_THAT(warnings, testing::IsEmpty()) << c.address;
    } else {
      EXPECT_THAT(warnings, ElementsAre(HasSubstr(c.warning))) << c.address;
      EXPECT_THAT(warnings[0], Not(HasSubstr(kToken)));
    }
  }
}

TEST(AccessTest, TheListenerIsAsConfigured) {
  const TestCertificates certificates;
  ServerConfig config;
  config.address = "127.0.0.1:0";
  config.http.max_body_bytes = 1024;
  config.security.api_token = kToken;
  config.security.tls_cert_file = certificates.Path("server.pem");
  config.security.tls_key_file = certificates.Path("server.key");
  Result<std::unique_ptr<HttpServer>> server = StartListener(config, Yes);
  ASSERT_TRUE(server.ok()) << server.error().message;
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  {
    HttpTestClient client((*server)->port(), context);
    client.Send(PostRequest("x"));
    EXPECT_THAT(client.Receive(),
                AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("WWW-Authenticate: Bearer")));
    client.Send(PostRequest("x", "Authorization: Bearer s3cret-token\r\n"));
    EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.1 200"));
    client.Send(PostRequest(std::string(1025, 'x')));
    EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.1 413"));
  }
  SSL_CTX_free(context);
}

TEST(AccessTest, ACertificateThatCannotBeUsedPreventsTheStart) {
  ServerConfig config;
  config.address = "127.0.0.1:0";
  config.security.tls_cert_file = "/nowhere/server.pem";
  config.security.tls_key_file = "/nowhere/server.key";
  Result<std::unique_ptr<HttpServer>> server = StartListener(config, Yes);
  ASSERT_FALSE(server.ok());
  EXPECT_THAT(server.error().message,
              AllOf(HasSubstr("security.tls.certFile"), HasSubstr("/nowhere/server.pem")));
}

}  // namespace
}  // namespace cdc
