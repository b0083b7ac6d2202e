// SecretBox: encrypts the secrets that a store holds, each for the place it belongs to.
//
// AES-256-GCM, a nonce of its own for every value. The key is 32 bytes in base64, or is derived
// from a passphrase by scrypt (about 0.1 s per salt; the salt is kept and used again). A value is
// "sealed:v1:k:" or "sealed:v1:p:" (passphrase) and base64 of [16 bytes of salt,] 12 of nonce,
// ciphertext, 16 of tag. Not safe from several threads. No error holds a secret or the key.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"

namespace cdc {

// The settings that errors name.
inline constexpr const char* kSecretKeyVariable = "MILVUS_CDC_SECRET_KEY";

class SecretBox {
 public:
  // kInvalid for a key that is too short to be one.
  static Result<std::unique_ptr<SecretBox>> Make(const std::string& key);
  ~SecretBox();
  SecretBox(const SecretBox&) = delete;
  SecretBox& operator=(const SecretBox&) = delete;

  // `place` says whose secret it is: Open() of another place fails.
  Result<std::string> Seal(const std::string& secret, const std::string& place);
  // kInvalid when it was sealed with another key, or changed since.
  Result<std::string> Open(const std::string& sealed, const std::string& place);

  static bool IsSealed(const std::string& text);

 private:
  SecretBox() = default;
  Result<std::string> KeyFor(const std::string& salt);

  bool passphrase_ = false;
  std::string secret_;                       // the key itself, or the passphrase
  std::string salt_;                         // for new values; empty: none yet
  std::map<std::string, std::string> keys_;  // derived, by salt
};

}  // namespace cdc
