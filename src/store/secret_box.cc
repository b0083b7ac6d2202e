#include "store/secret_box.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <optional>
#include <vector>

#include "base/base64.h"
#include "base/format.h"

namespace cdc {
namespace {

constexpr char kWithKey[] = "sealed:v1:k:";
constexpr char kWithPassphrase[] = "sealed:v1:p:";
constexpr char kAnySealed[] = "sealed:v";
constexpr size_t kKeyBytes = 32, kSaltBytes = 16, kNonceBytes = 12, kTagBytes = 16;
constexpr size_t kShortestPassphrase = 12;
// scrypt: 32 MiB and some 0.1 s for each guess.
constexpr uint64_t kScryptN = 1 << 15, kScryptR = 8, kScryptP = 1, kScryptMemory = 64 << 20;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const unsigned char* Bytes(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string* text) {
  return reinterpret_cast<unsigned char*>(text->data());
}

Result<std::string> RandomBytes(size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(Bytes(&bytes), static_cast<int>(count)) != 1) {
    return RetryError("the system has no random numbers for the encryption of secrets");
  }
  return bytes;
}

// Ciphertext and tag.
std::optional<std::string> Encrypt(const std::string& key, const std::string& nonce,
                                   const std::string& place, const std::string& plain) {
  const Context context(EVP_CIPHER_CTX_new());
  std::string out(plain.size() + kTagBytes, '\0');
  int done = 0, rest = 0;
  const bool good = context != nullptr &&
                    EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, Bytes(key),
                                       Bytes(nonce)) == 1 &&
                    EVP_EncryptUpdate(context.get(), nullptr, &rest, Bytes(place),
                                      static_cast<int>(place.size())) == 1 &&
                    EVP_EncryptUpdate(context.get(), Bytes(&out), &done, Bytes(plain),
                                      static_cast<int>(plain.size())) == 1 &&
                    EVP_EncryptFinal_ex(context.get(), Bytes(&out) + done, &rest) == 1 &&
                    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes,
                                        out.data() + plain.size()) == 1;
  if (!good) return {};
  return out;
}

// Nothing if the key is another one, or any bit was changed.
std::optional<std::string> Decrypt(const std::string& key, const std::string& nonce,
                                   const std::string& place, const std::string& sealed) {
  const Context context(EVP_CIPHER_CTX_new());
  const size_t size = sealed.size() - kTagBytes;
  std::string tag = sealed.substr(size);
  std::string out(size + 1, '\0');  // never empty: the pointer into it must be one
  int done = 0, rest = 0;
  const bool good =
      context != nullptr &&
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, Bytes(key), Bytes(nonce)) ==
          1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &rest, Bytes(place),
                        static_cast<int>(place.size())) == 1 &&
      EVP_DecryptUpdate(context.get(), Bytes(&out), &done, Bytes(sealed), static_cast<int>(size)) ==
          1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), Bytes(&out) + done, &rest) == 1;
  if (!good) return {};
  out.resize(size);
  return out;
}

Error CannotRead(const std::string& place) {
  return InvalidError(
      Format("the {} is encrypted with another key than {}, or was changed; set the "
             "key that it was stored with",
             place, kSecretKeyVariable));
}

}  // namespace

Result<std::unique_ptr<SecretBox>> SecretBox::Make(const std::string& key) {
  std::unique_ptr<SecretBox> box(new SecretBox);
  const std::optional<std::string> bytes = FromBase64(key);
  box->passphrase_ = !bytes || bytes->size() != kKeyBytes;
  if (box->passphrase_ && key.size() < kShortestPassphrase) {
    return InvalidError(
        Format("{} is too short: give it 32 random bytes in base64 (openssl rand -base64 32), or a "
               "passphrase of {} characters at least",
               kSecretKeyVariable, kShortestPassphrase));
  }
  box->secret_ = box->passphrase_ ? key : *bytes;
  return box;
}

SecretBox::~SecretBox() {
  OPENSSL_cleanse(secret_.data(), secret_.size());
  for (auto& [salt, key] : keys_) OPENSSL_cleanse(key.data(), key.size());
}

bool SecretBox::IsSealed(const std::string& text) {
  return text.starts_with(kAnySealed);
}

Result<std::string> SecretBox::KeyFor(const std::string& salt) {
  if (!passphrase_) return secret_;
  const auto known = keys_.find(salt);
  if (known != keys_.end()) return known->second;
  std::string key(kKeyBytes, '\0');
  if (EVP_PBE_scrypt(secret_.data(), secret_.size(), Bytes(salt), salt.size(), kScryptN, kScryptR,
                     kScryptP, kScryptMemory, Bytes(&key), key.size()) != 1) {
    return RetryError("no memory to derive a key from the passphrase of secrets");
  }
  if (salt_.empty()) salt_ = salt;
  return keys_[salt] = key;
}

Result<std::string> SecretBox::Seal(const std::string& secret, const std::string& place) {
  std::string salt = salt_;
  if (passphrase_ && salt.empty()) {
    CDC_ASSIGN_OR_RETURN(salt, RandomBytes(kSaltBytes));
  }
  CDC_ASSIGN_OR_RETURN(const std::string key, KeyFor(salt));
  CDC_ASSIGN_OR_RETURN(const std::string nonce, RandomBytes(kNonceBytes));
  const std::optional<std::string> sealed = Encrypt(key, nonce, place, secret);
  if (!sealed) return FatalError("the " + place + " cannot be encrypted");
  return (passphrase_ ? kWithPassphrase : kWithKey) + Base64(salt + nonce + *sealed);
}

Result<std::string> SecretBox::Open(const std::string& sealed, const std::string& place) {
  const std::string mark = passphrase_ ? kWithPassphrase : kWithKey;
  const size_t salt_bytes = passphrase_ ? kSaltBytes : 0;
  if (!sealed.starts_with(mark)) return CannotRead(place);
  const std::optional<std::string> bytes = FromBase64(std::string_view(sealed).substr(mark.size()));
  if (!bytes || bytes->size() < salt_bytes + kNonceBytes + kTagBytes) return CannotRead(place);
  CDC_ASSIGN_OR_RETURN(const std::string key, KeyFor(bytes->substr(0, salt_bytes)));
  std::optional<std::string> plain = Decrypt(key, bytes->substr(salt_bytes, kNonceBytes), place,
                                             bytes->substr(salt_bytes + kNonceBytes));
  if (!plain) return CannotRead(place);
  return *std::move(plain);
}

}  // namespace cdc
