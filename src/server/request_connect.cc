// Where a task writes to: milvus_connect_param.
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/format.h"
#include "server/request_create.h"

namespace cdc {
namespace {

constexpr int kDefaultPort = 19530;
constexpr int kLongestConnect = 60;   // seconds: no client waits longer for its answer
constexpr int kDefaultTlsPort = 443;  // of an https address that names none

Result<uint16_t> ParsePort(const std::string& text) {
  int port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failed] = std::from_chars(text.data(), end, port);
  if (failed != std::errc() || stop != end || port < 1 || port > 65535) {
    return InvalidError("behind ':' there must be a port, 1 to 65535");
  }
  return static_cast<uint16_t>(port);
}

// http(s)://host[:port][/], or host:port.
Status ParseUri(const std::string& uri, TargetAddress* target) {
  std::string rest = uri;
  const size_t scheme = rest.find("://");
  if (scheme != std::string::npos) {
    const std::string name = rest.substr(0, scheme);
    rest = rest.substr(scheme + 3);
    if (name != "http" && name != "https" && name != "tcp") {
      return InvalidError("the milvus uri is invalid: it must begin with http:// or https://");
    }
    target->tls = name == "https";
  }
  // Not repeated in any message: it may hold a password.
  if (rest.find('@') != std::string::npos) {
    return InvalidError(
        "the milvus uri must not hold credentials; use token, or username and password");
  }
  if (!rest.empty() && rest.back() == '/') rest.pop_back();
  const bool control = std::any_of(rest.begin(), rest.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < ' '; });
  if (control || rest.find_first_of("/?# ") != std::string::npos) {
    return InvalidError("the milvus uri is invalid: only host and port may follow the scheme");
  }
  std::string port;
  size_t host_end = rest.size();
  if (!rest.empty() && rest[0] == '[') {
    host_end = rest.find(']');
    if (host_end == std::string::npos) {
      return InvalidError("the milvus uri is invalid: ']' is missing");
    }
    ++host_end;
  } else {
    host_end = std::min(rest.find(':'), rest.size());
  }
  const bool has_port = host_end < rest.size();
  if (has_port) {
    Result<uint16_t> parsed = rest[host_end] == ':'
                                  ? ParsePort(rest.substr(host_end + 1))
                                  : Result<uint16_t>(InvalidError("':' is missing"));
    if (!parsed.ok()) {
      return parsed.error().Prefixed("the milvus uri is invalid");
    }
    target->port = *parsed;
  } else {
    target->port = static_cast<uint16_t>(target->tls ? kDefaultTlsPort : kDefaultPort);
  }
  target->host = rest.substr(0, host_end);
  if (target->host.size() >= 2 && target->host[0] == '[') {
    target->host = target->host.substr(1, target->host.size() - 2);
  }
  if (target->host.empty()) return InvalidError("the milvus host is empty");
  return OkStatus();
}

Status CheckReadable(const char* key, const std::string& path) {
  if (path.empty() || access(path.c_str(), R_OK) == 0) return OkStatus();
  return InvalidError(
      Format("dial_config.{}: cannot read {} on the host of this server", key, path));
}

Status ReadDialConfig(const MilvusFields& fields, TargetAddress* target) {
  const int mutual = static_cast<int>(!fields.ca_pem_path.empty()) +
                     static_cast<int>(!fields.client_pem_path.empty()) +
                     static_cast<int>(!fields.client_key_path.empty());
  if (mutual != 0 && mutual != 3) {
    return InvalidError(
        "dial_config: mutual TLS needs ca_pem_path, client_pem_path and "
        "client_key_path together");
  }
  if (mutual != 0 && !fields.server_pem_path.empty()) {
    return InvalidError(
        "dial_config: use either server_pem_path (one-way TLS) or ca_pem_path with "
        "client_pem_path and client_key_path (mutual TLS)");
  }
  CDC_RETURN_IF_ERROR(CheckReadable("server_pem_path", fields.server_pem_path));
  CDC_RETURN_IF_ERROR(CheckReadable("ca_pem_path", fields.ca_pem_path));
  CDC_RETURN_IF_ERROR(CheckReadable("client_pem_path", fields.client_pem_path));
  CDC_RETURN_IF_ERROR(CheckReadable("client_key_path", fields.client_key_path));
  target->server_name = fields.server_name;
  target->ca_pem_path = mutual != 0 ? fields.ca_pem_path : fields.server_pem_path;
  target->client_pem_path = fields.client_pem_path;
  target->client_key_path = fields.client_key_path;
  if (!target->ca_pem_path.empty()) target->tls = true;
  return OkStatus();
}

}  // namespace

Result<TargetAddress> ValidateMilvus(const MilvusFields& fields) {
  TargetAddress target;
  if (!fields.uri.empty()) {
    CDC_RETURN_IF_ERROR(ParseUri(fields.uri, &target));
  } else {
    if (fields.host.empty()) return InvalidError("the milvus host is empty");
    if (fields.port <= 0) return InvalidError("the milvus port is less or equal zero");
    if (fields.port > 65535) return InvalidError("the milvus port is larger than 65535");
    target.host = fields.host;
    target.port = static_cast<uint16_t>(fields.port);
  }
  if (fields.enable_tls) target.tls = true;
  if (fields.username.empty() != fields.password.empty()) {
    return InvalidError("cannot set only one of the milvus username and password");
  }
  if (fields.connect_timeout < 0) {
    return InvalidError("the milvus connect timeout is less zero");
  }
  if (fields.connect_timeout > 0) {
    target.connect_timeout_seconds = std::min(fields.connect_timeout, kLongestConnect);
  }
  if (!fields.token.empty()) {
    target.token = fields.token;
  } else if (!fields.username.empty()) {
    target.token = fields.username + ":" + fields.password;
  }
  CDC_RETURN_IF_ERROR(ReadDialConfig(fields, &target));
  return target;
}

}  // namespace cdc
