// Certificates made for one test, in a folder that goes with it. Not part of the product.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

namespace cdc {

// ca.pem, and signed by it server.{pem,key} for 127.0.0.1 and client.{pem,key}; ca2.pem and
// stranger.{pem,key} signed by that; old.{pem,key}, which expired yesterday; locked.key, the
// server's key under a passphrase.
class TestCertificates {
 public:
  TestCertificates() {
    std::string name = "/tmp/cdc_certificates.XXXXXX";
    folder_ = mkdtemp(name.data());
    const Pair ca = Make("ca", nullptr), ca2 = Make("ca2", nullptr);
    const Pair server = Make("server", &ca), client = Make("client", &ca);
    const Pair stranger = Make("stranger", &ca2), old = Make("old", &ca, -1);
    WriteKey("locked.key", server.key, "passphrase");
    for (const Pair& pair : {ca, ca2, server, client, stranger, old}) {
      X509_free(pair.certificate);
      EVP_PKEY_free(pair.key);
    }
  }
  ~TestCertificates() { std::filesystem::remove_all(folder_); }
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

 private:
  struct Pair {
    X509* certificate;
    EVP_PKEY* key;
  };

  Pair Make(const std::string& name, const Pair* issuer, int days = 1) const {
    const Pair made{X509_new(), EVP_EC_gen("P-256")};
    const Pair& by = issuer != nullptr ? *issuer : made;
    X509* const x = made.certificate;
    X509_set_version(x, 2);
    static long serial = 0;  // NOLINT: OpenSSL's type
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), -2 * 24 * 3600);
    X509_gmtime_adj(X509_getm_notAfter(x), days * 24 * 3600);
    X509_set_pubkey(x, made.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(by.certificate));
    if (issuer == nullptr) {
      Extend(x, NID_basic_constraints, "critical,CA:TRUE");
    } else {
      Extend(x, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
    }
    EXPECT_GT(X509_sign(x, by.key, EVP_sha256()), 0);
    FILE* const file = std::fopen(Path(name + ".pem").c_str(), "w");
    EXPECT_EQ(PEM_write_X509(file, x), 1);
    std::fclose(file);
    WriteKey(name + ".key", made.key, "");
    return made;
  }

  static void Extend(X509* x, int nid, const char* value) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
  }

  void WriteKey(const std::string& name, EVP_PKEY* key, std::string passphrase) const {
    FILE* const file = std::fopen(Path(name).c_str(), "w");
    const bool locked = !passphrase.empty();
    auto* const secret = reinterpret_cast<unsigned char*>(passphrase.data());
    EXPECT_EQ(PEM_write_PrivateKey(file, key, locked ? EVP_aes_256_cbc() : nullptr,
                                   locked ? secret : nullptr, static_cast<int>(passphrase.size()),
                                   nullptr, nullptr),
              1);
    std::fclose(file);
  }

  std::string folder_;
};

}  // namespace cdc
