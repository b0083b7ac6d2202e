#include "store/secret_box.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"

namespace cdc {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kPlace[] = "token of task t";
constexpr char kPassphrase[] = "correct horse battery";
// The bytes 0 to 31.
constexpr char kKey[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

std::unique_ptr<SecretBox> Box(const std::string& key) {
  Result<std::unique_ptr<SecretBox>> box = SecretBox::Make(key);
  EXPECT_TRUE(box.ok()) << box.error().message;
  return box.ok() ? *std::move(box) : nullptr;
}

class SecretBoxTest : public testing::TestWithParam<const char*> {};

TEST_P(SecretBoxTest, WhatIsSealedOpensAgain) {
  const auto box = Box(GetParam());
  for (const std::string& secret : {std::string("root:Milvus"), std::string(),
                                    std::string("\0\xff", 2), std::string(5000, 'x')}) {
    const Result<std::string> sealed = box->Seal(secret, kPlace);
    ASSERT_TRUE(sealed.ok()) << sealed.error().message;
    EXPECT_TRUE(SecretBox::IsSealed(*sealed));
    EXPECT_THAT(*sealed, Not(HasSubstr("Milvus")));
    EXPECT_EQ(*box->Open(*sealed, kPlace), secret);
    EXPECT_EQ(*Box(GetParam())->Open(*sealed, kPlace), secret);  // by another process
  }
}

TEST_P(SecretBoxTest, NoValueIsSealedTheSameWayTwice) {
  const auto box = Box(GetParam());
  EXPECT_NE(*box->Seal("secret", kPlace), *box->Seal("secret", kPlace));
}

TEST_P(SecretBoxTest, ChangedOrMovedValuesDoNotOpen) {
  const auto box = Box(GetParam());
  const std::string sealed = *box->Seal("secret", kPlace);
  EXPECT_FALSE(box->Open(sealed, "token of task u").ok());
  const size_t mark = std::string("sealed:v1:k:").size();
  const std::string bytes = *FromBase64(sealed.substr(mark));
  // Each other salt derives another key, which takes its time.
  const size_t salt = GetParam() == std::string(kPassphrase) ? 16 : 0;
  for (size_t i = 0; i < bytes.size(); i += i < salt ? 8 : 1) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(box->Open(sealed.substr(0, mark) + Base64(changed), kPlace).ok()) << i;
  }
  for (size_t size : {size_t{0}, size_t{11}, size_t{27}, bytes.size() - 1}) {
    const std::string cut = sealed.substr(0, mark) + Base64(bytes.substr(0, size));
    EXPECT_FALSE(box->Open(cut, kPlace).ok()) << size;
  }
  EXPECT_FALSE(box->Open(sealed.substr(0, mark) + "not base64", kPlace).ok());
  EXPECT_FALSE(box->Open("sealed:v9:k:" + sealed.substr(mark), kPlace).ok());
}

TEST_P(SecretBoxTest, AnotherKeyIsToldWithItsSettingAndNothingSecret) {
  const std::string sealed = *Box(GetParam())->Seal("sesame", kPlace);
  for (const char* other : {"another passphrase", "//////////////////////////////////////////8="}) {
    const Result<std::string> opened = Box(other)->Open(sealed, kPlace);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().kind, ErrorKind::kInvalid);
    EXPECT_THAT(opened.error().message, HasSubstr("MILVUS_CDC_SECRET_KEY"));
    EXPECT_THAT(opened.error().message, HasSubstr("token of task t"));
    EXPECT_THAT(opened.error().message, Not(HasSubstr("sesame")));
    EXPECT_THAT(opened.error().message, Not(HasSubstr(other)));
    EXPECT_THAT(opened.error().message, Not(HasSubstr(sealed)));
  }
}

INSTANTIATE_TEST_SUITE_P(With, SecretBoxTest, testing::Values(kKey, kPassphrase));

// Made with another implementation of AES-GCM and scrypt; must stay readable.
TEST(SecretBox, FormatOfVersion1) {
  EXPECT_EQ(
      *Box(kKey)->Open("sealed:v1:k:ZGVmZ2hpamtsbW5vOnSxEkOkP/JIFyy8Y/h71IfErbchHS3IKlSr", kPlace),
      "root:Milvus");
  EXPECT_EQ(*Box(kPassphrase)
                 ->Open("sealed:v1:p:MjM0NTY3ODk6Ozw9Pj9AQWRlZmdoaWprbG1ub+32bpquRBoYs2mU+"
                        "QMDVubWCjGaOkKvQ9ER"
                        "Fg==",
                        kPlace),
            "root:Milvus");
}

TEST(SecretBox, KeyAndPassphraseAreToldApart) {
  EXPECT_THAT(*Box(kKey)->Seal("s", kPlace), StartsWith("sealed:v1:k:"));
  EXPECT_THAT(*Box(kPassphrase)->Seal("s", kPlace), StartsWith("sealed:v1:p:"));
}

TEST(SecretBox, ShortKeysAreRefused) {
  for (const char* key : {"", "tiny-key", "dGlueQ=="}) {
    const Result<std::unique_ptr<SecretBox>> box = SecretBox::Make(key);
    ASSERT_FALSE(box.ok());
    EXPECT_EQ(box.error().kind, ErrorKind::kInvalid);
    EXPECT_THAT(box.error().message, HasSubstr("MILVUS_CDC_SECRET_KEY"));
    if (*key != 0) {
      EXPECT_THAT(box.error().message, Not(HasSubstr(key)));
    }
  }
}

TEST(SecretBox, ClearTextIsNotTakenForSealed) {
  for (const char* text : {"", "root:Milvus", "sealed", "Sealed:v1:k:"}) {
    EXPECT_FALSE(SecretBox::IsSealed(text)) << text;
  }
}

}  // namespace
}  // namespace cdc
