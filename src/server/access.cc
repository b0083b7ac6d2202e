#include "server/access.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "server/nearest.h"

namespace cdc {
namespace {

constexpr const char* kRefused =
    "a valid API token is required: send 'Authorization: Bearer <token>'";

using Digest = std::array<unsigned char, 32>;

Digest DigestOf(const std::string& text) {
  Digest digest{};
  EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return digest;
}

// What stands behind "Bearer "; empty: something else.
std::string BearerOf(const std::string& authorization) {
  constexpr const char* kScheme = "bearer ";
  const size_t size = std::strlen(kScheme);
  if (LowerCase(authorization.substr(0, size)) != kScheme) return "";
  const size_t begin = authorization.find_first_not_of(' ', size);
  return begin == std::string::npos ? "" : authorization.substr(begin);
}

HttpResponse Unauthorized(const std::string& path) {
  HttpResponse response;
  response.status = 401;
  response.headers = {{"WWW-Authenticate", "Bearer realm=\"milvus-cdc\""}};
  if (path.rfind("/api/", 0) == 0) {
    response.content_type = "application/problem+json";
    response.body = Format(
        "{\"type\":\"about:blank\",\"title\":\"Unauthorized\",\"status\":401,\"detail\":\"{}\","
        "\"kind\":\"unauthorized\"}",
        kRefused);
  } else {
    response.body = Format("{\"code\":401,\"message\":\"{}\"}", kRefused);
  }
  return response;
}

// Can only this host reach it? A name counts only if it is the usual one.
bool IsLoopback(const std::string& host) {
  if (LowerCase(host) == "localhost") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

// Is the listener more open than its configuration shows that it is meant to be?
std::string OpenDoor(const ServerConfig& config) {
  const SecurityConfig& security = config.security;
  std::string host;
  uint16_t port = 0;
  if (security.insecure_listen || !SplitAddress(config.address, &host, &port).ok()) return "";
  if (IsLoopback(host) || !security.tls_client_ca_file.empty()) return "";
  if (security.api_token.empty()) {
    return Format(
        "anybody who reaches {} can create, change and delete tasks: set security.apiToken, or "
        "listen on 127.0.0.1, or set security.insecureListen if something else guards the address",
        config.address);
  }
  if (!security.tls_cert_file.empty()) return "";
  return Format(
      "the API token can be read on the way to {}: set security.tls.certFile and keyFile, or "
      "security.insecureListen if something else encrypts the connections",
      config.address);
}

}  // namespace

HttpHandler RequireToken(std::string token, HttpHandler next) {
  return [wanted = DigestOf(token), next = std::move(next)](const HttpRequest& request) {
    if (request.path == "/healthz") return next(request);
    const Digest given = DigestOf(BearerOf(request.authorization));
    if (CRYPTO_memcmp(given.data(), wanted.data(), wanted.size()) != 0) {
      return Unauthorized(request.path);
    }
    return next(request);
  };
}

HttpOptions ListenerOptions(const ServerConfig& config) {
  HttpOptions options;
  options.address = config.address;
  options.tls.cert_file = config.security.tls_cert_file;
  options.tls.key_file = config.security.tls_key_file;
  options.tls.client_ca_file = config.security.tls_client_ca_file;
  options.max_connections = static_cast<size_t>(config.http.max_connections);
  options.max_body_bytes = static_cast<size_t>(config.http.max_body_bytes);
  options.request_timeout_ms = config.http.request_timeout_seconds * 1000;
  return options;
}

std::vector<std::string> ListenerWarnings(const ServerConfig& config) {
  std::vector<std::string> warnings;
  for (const std::string& warning : {OpenDoor(config), TlsWarning(ListenerOptions(config).tls)}) {
    if (!warning.empty()) warnings.push_back(warning);
  }
  return warnings;
}

Result<std::unique_ptr<HttpServer>> StartListener(const ServerConfig& config, HttpHandler handler) {
  const std::string& token = config.security.api_token;
  if (!token.empty()) handler = RequireToken(token, std::move(handler));
  CDC_ASSIGN_OR_RETURN(auto server, HttpServer::Start(ListenerOptions(config), std::move(handler)));
  for (const std::string& warning : ListenerWarnings(config)) LogWarn("{}", warning);
  LogInfo("listening on {}://{} (port {})",
          config.security.tls_cert_file.empty() ? "http" : "https", config.address, server->port());
  return server;
}

}  // namespace cdc
