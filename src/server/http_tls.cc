#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/format.h"
#include "server/http_tls_impl.h"

namespace cdc {
namespace {

namespace ssl = boost::asio::ssl;

Error Unusable(const char* setting, const std::string& path, const std::string& why) {
  return InvalidError(Format("security.tls.{}: {} {}", setting, path, why));
}

Status CheckReadable(const char* setting, const std::string& path) {
  errno = 0;
  std::ifstream in(path);
  // A folder opens, and cannot be read.
  if (in.is_open() && in.peek() != std::ifstream::traits_type::eof()) return OkStatus();
  const std::string why = errno != 0 ? std::strerror(errno) : "it is empty";
  return Unusable(setting, path, "cannot be read: " + why);
}

Status CheckSettings(const HttpTls& tls) {
  if (tls.cert_file.empty()) {
    const bool client = tls.key_file.empty();
    return InvalidError(Format("security.tls.{} is set without security.tls.certFile: {}",
                               client ? "clientCaFile" : "keyFile",
                               "name the server's certificate as well"));
  }
  if (tls.key_file.empty()) {
    return InvalidError(
        "security.tls.certFile is set without security.tls.keyFile: name its private key as well");
  }
  CDC_RETURN_IF_ERROR(CheckReadable("certFile", tls.cert_file));
  CDC_RETURN_IF_ERROR(CheckReadable("keyFile", tls.key_file));
  if (!tls.client_ca_file.empty()) {
    CDC_RETURN_IF_ERROR(CheckReadable("clientCaFile", tls.client_ca_file));
  }
  return OkStatus();
}

Status LoadOwn(const HttpTls& tls, ssl::context* context) {
  boost::system::error_code error;
  context->use_certificate_chain_file(tls.cert_file, error);
  if (error) {
    return Unusable("certFile", tls.cert_file,
                    Format("holds no certificate in PEM ({})", error.message()));
  }
  // Without this OpenSSL asks for a passphrase on the terminal.
  context->set_password_callback([](size_t, ssl::context::password_purpose) { return ""; });
  context->use_private_key_file(tls.key_file, ssl::context::pem, error);
  if (error || SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return Unusable("keyFile", tls.key_file,
                    Format("is not the private key of {} in PEM, without a passphrase{}",
                           tls.cert_file, error ? " (" + error.message() + ")" : ""));
  }
  return OkStatus();
}

Status RequireClients(const std::string& ca_file, ssl::context* context) {
  boost::system::error_code error;
  context->load_verify_file(ca_file, error);
  STACK_OF(X509_NAME)* names = error ? nullptr : SSL_load_client_CA_file(ca_file.c_str());
  if (names == nullptr) {
    return Unusable("clientCaFile", ca_file, "holds no certificate in PEM");
  }
  SSL_CTX_set_client_CA_list(context->native_handle(), names);  // takes them
  context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
  return OkStatus();
}

}  // namespace

Result<std::unique_ptr<ssl::context>> MakeTlsContext(const HttpTls& tls) {
  if (tls.cert_file.empty() && tls.key_file.empty() && tls.client_ca_file.empty()) {
    return std::unique_ptr<ssl::context>();
  }
  CDC_RETURN_IF_ERROR(CheckSettings(tls));
  auto context = std::make_unique<ssl::context>(ssl::context::tls_server);
  SSL_CTX* const handle = context->native_handle();
  SSL_CTX_set_min_proto_version(handle, TLS1_2_VERSION);
  SSL_CTX_set_options(handle, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Without a name sessions of clients with certificates cannot be resumed, which then fail.
  static constexpr unsigned char kName[] = "milvus-cdc";
  SSL_CTX_set_session_id_context(handle, kName, sizeof(kName) - 1);
  CDC_RETURN_IF_ERROR(LoadOwn(tls, context.get()));
  if (!tls.client_ca_file.empty()) {
    CDC_RETURN_IF_ERROR(RequireClients(tls.client_ca_file, context.get()));
  }
  return context;
}

Status CheckTls(const HttpTls& tls) {
  Result<std::unique_ptr<ssl::context>> context = MakeTlsContext(tls);
  return context.ok() ? OkStatus() : Status(context.error());
}

std::string TlsWarning(const HttpTls& tls) {
  Result<std::unique_ptr<ssl::context>> context = MakeTlsContext(tls);
  if (!context.ok() || *context == nullptr) return "";
  const X509* own = SSL_CTX_get0_certificate((*context)->native_handle());
  if (own == nullptr || X509_cmp_current_time(X509_get0_notAfter(own)) >= 0) return "";
  return Format("the certificate {} has expired: clients will not trust it", tls.cert_file);
}

}  // namespace cdc
