#include "cli/remote.h"

#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>

#include "base/format.h"

namespace cdc {
namespace {

constexpr long kConnectTimeoutMs = 5000;

struct Cleanup {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// What the address says.
struct ServerUrl {
  std::string base;  // without a slash at its end
  std::string host;
};

std::string PartOf(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  std::string copy = text;
  curl_free(text);
  return copy;
}

// The address is not repeated where it may hold a password.
Result<ServerUrl> ParseServer(const std::string& server) {
  constexpr const char* kForm = "give the server as http://host:port or https://host:port";
  std::unique_ptr<CURLU, Cleanup> url(curl_url());
  const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, server.c_str(), CURLU_GUESS_SCHEME);
  if (code != CURLUE_OK) {
    return InvalidError(Format("--server: {}; {}", curl_url_strerror(code), kForm));
  }
  const std::string scheme = PartOf(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return InvalidError(Format("--server: '{}' is not a scheme of it; {}", scheme, kForm));
  }
  if (!PartOf(url.get(), CURLUPART_USER).empty() ||
      !PartOf(url.get(), CURLUPART_PASSWORD).empty()) {
    return InvalidError("--server must not hold credentials; use --token-file");
  }
  if (!PartOf(url.get(), CURLUPART_QUERY).empty() ||
      !PartOf(url.get(), CURLUPART_FRAGMENT).empty()) {
    return InvalidError(Format("--server: nothing may follow the path; {}", kForm));
  }
  ServerUrl parsed{PartOf(url.get(), CURLUPART_URL), PartOf(url.get(), CURLUPART_HOST)};
  while (!parsed.base.empty() && parsed.base.back() == '/') parsed.base.pop_back();
  return parsed;
}

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

Status CheckFile(const char* option, const std::string& path) {
  if (path.empty() || access(path.c_str(), R_OK) == 0) return OkStatus();
  return InvalidError(Format("{}: cannot read the file '{}'", option, path));
}

Status CheckOptions(const RemoteOptions& options) {
  CDC_RETURN_IF_ERROR(CheckFile("--ca-file", options.ca_file));
  CDC_RETURN_IF_ERROR(CheckFile("--cert", options.cert_file));
  CDC_RETURN_IF_ERROR(CheckFile("--key", options.key_file));
  if (options.cert_file.empty() != options.key_file.empty()) {
    return InvalidError("--cert and --key belong together: give both");
  }
  const bool sendable = std::all_of(options.token.begin(), options.token.end(),
                                    [](char c) { return c > ' ' && c < 0x7f; });
  if (!sendable) {
    return InvalidError("the token holds a blank or a character that HTTP cannot carry");
  }
  return OkStatus();
}

bool Holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// Why a server may close a connection without a word.
std::string HintOf(const std::string& base, const RemoteOptions& options) {
  if (!base.starts_with("https:")) return "; does it want https:// instead?";
  if (!options.cert_file.empty()) return "";
  return "; does it ask for a client certificate (--cert and --key)?";
}

// What went wrong on the way, and what to do about it. `detail`: libcurl's own words. `sent`: the
// request may have got there.
Error Explain(CURLcode code, const std::string& detail, bool sent, const RemoteOptions& options,
              const std::string& base) {
  const auto away = [](std::string message) {
    return RetryError(std::move(message), ErrorKind::kUnavailable);
  };
  // TLS 1.3 tells only after the handshake, so that it comes as an error of reading.
  if (Holds(detail, "certificate required") || Holds(detail, "handshake failure")) {
    return away(Format("{} asks for a client certificate: give one with --cert and --key ({})",
                       base, detail));
  }
  switch (code) {
    case CURLE_COULDNT_CONNECT:
      return away(
          Format("nothing answers at {} ({}): is `milvus-cdc serve` running there? Another address "
                 "is given with --server or MILVUS_CDC_SERVER",
                 base, detail));
    case CURLE_COULDNT_RESOLVE_HOST:
      return away(Format("{} ({}): check the spelling of --server", base, detail));
    case CURLE_OPERATION_TIMEDOUT:
      if (!sent) return away(Format("{} cannot be reached ({}): check --server", base, detail));
      return RetryError(
          Format("no answer from {} within {} s; a change may have been made nevertheless: look "
                 "with `milvus-cdc task list`, or wait longer with --timeout",
                 base, options.timeout_seconds),
          ErrorKind::kUnknownOutcome);
    case CURLE_PEER_FAILED_VERIFICATION:
      return away(
          Format("the certificate of {} is not trusted ({}): give the authority that signed it "
                 "with --ca-file, and the host by a name that is in the certificate",
                 base, detail));
    case CURLE_SSL_CACERT_BADFILE:
      return InvalidError(
          Format("--ca-file: '{}' holds no certificate in PEM form", options.ca_file));
    case CURLE_SSL_CERTPROBLEM:
      return InvalidError(
          Format("--cert and --key must be a certificate and its key in PEM form ({})", detail));
    case CURLE_SSL_CONNECT_ERROR:
      return away(Format("no TLS with {} ({}): does it speak http:// instead?", base, detail));
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return away(
          Format("{} does not answer in HTTP ({}): does it want https:// instead?", base, detail));
    default:
      return RetryError(
          Format("the connection to {} failed: {}{}", base, detail, HintOf(base, options)),
          sent ? ErrorKind::kUnknownOutcome : ErrorKind::kUnavailable);
  }
}

size_t Append(char* data, size_t size, size_t count, void* into) {
  static_cast<std::string*>(into)->append(data, size * count);
  return size * count;
}

class Remote final : public Transport {
 public:
  Remote(RemoteOptions options, ServerUrl url)
      : options_(std::move(options)), url_(std::move(url)), handle_(curl_easy_init()) {}

  Result<ApiAnswer> Send(const ApiRequest& request) override {
    CURL* const curl = handle_.get();
    ApiAnswer answer;
    char detail[CURL_ERROR_SIZE] = "";
    curl_easy_reset(curl);  // its connections stay
    SetConnection(curl);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
    const std::string url = url_.base + request.path;
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    if (request.method == "POST") {
      curl_easy_setopt(curl, CURLOPT_POST, 1L);
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    // A header without a value takes libcurl's own one out.
    std::unique_ptr<curl_slist, Cleanup> headers(curl_slist_append(
        nullptr, request.body.empty() ? "Content-Type:" : "Content-Type: application/json"));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
    const CURLcode code = curl_easy_perform(curl);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
    if (code != CURLE_OK) {
      curl_off_t before_request = 0;  // microseconds; 0: it came to none
      curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &before_request);
      return Explain(code, detail[0] != '\0' ? detail : curl_easy_strerror(code),
                     before_request > 0, options_, url_.base);
    }
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<int>(status);
    const char* type = nullptr;
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    if (type != nullptr) answer.content_type = type;
    return answer;
  }

 private:
  // Redirects are not followed: they would take the token elsewhere.
  void SetConnection(CURL* curl) {
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 1000L * options_.timeout_seconds);
    if (IsLoopback(url_.host)) curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (!options_.token.empty()) {
      curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
      curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, options_.token.c_str());
    }
    if (!options_.ca_file.empty()) {
      curl_easy_setopt(curl, CURLOPT_CAINFO, options_.ca_file.c_str());
      curl_easy_setopt(curl, CURLOPT_CAPATH, static_cast<char*>(nullptr));  // this one alone
    }
    if (!options_.cert_file.empty()) {
      curl_easy_setopt(curl, CURLOPT_SSLCERT, options_.cert_file.c_str());
      curl_easy_setopt(curl, CURLOPT_SSLKEY, options_.key_file.c_str());
    }
  }

  RemoteOptions options_;
  ServerUrl url_;
  std::unique_ptr<CURL, Cleanup> handle_;
};

}  // namespace

Result<std::unique_ptr<Transport>> OpenRemote(const RemoteOptions& options) {
  CDC_ASSIGN_OR_RETURN(ServerUrl url, ParseServer(options.server));
  CDC_RETURN_IF_ERROR(CheckOptions(options));
  return std::unique_ptr<Transport>(new Remote(options, std::move(url)));
}

}  // namespace cdc
