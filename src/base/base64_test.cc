#include "base/base64.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

// The examples of RFC 4648, and bytes that are no text.
TEST(Base64Test, Examples) {
  EXPECT_EQ(Base64(""), "");
  EXPECT_EQ(Base64("f"), "Zg==");
  EXPECT_EQ(Base64("fo"), "Zm8=");
  EXPECT_EQ(Base64("foo"), "Zm9v");
  EXPECT_EQ(Base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(Base64(std::string("\xff\xfe\x00", 3)), "//4A");
}

TEST(Base64Test, BackToBytes) {
  for (size_t size = 0; size < 40; ++size) {
    std::string bytes;
    for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(i * 37 + size);
    EXPECT_EQ(FromBase64(Base64(bytes)), bytes);
  }
  for (const char* wrong :
       {"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9v!", " Zm9v", "Zm9v\n", "=", "Zm-_"}) {
    EXPECT_EQ(FromBase64(wrong), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace cdc
