#include "client/etcd/etcd_writer.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

TEST(EtcdWriter, RefusesAWrongConfiguration) {
  EXPECT_EQ(EtcdWriter::Open({}).error().kind, ErrorKind::kInvalid);
  EtcdConfig config;
  config.endpoints = {"nowhere"};
  EXPECT_EQ(EtcdWriter::Open(config).error().kind, ErrorKind::kInvalid);
}

// Nothing was sent, so it is known that nothing was changed.
TEST(EtcdWriter, NobodyThereIsARetryOfKnownOutcome) {
  EtcdConfig config;
  config.endpoints = {"127.0.0.1:1"};
  config.user = "root";
  config.password = "sesame";
  auto writer = EtcdWriter::Open(config);
  ASSERT_TRUE(writer.ok());
  for (int i = 0; i < 2; ++i) {
    const Result<bool> done = (*writer)->Commit({{}, {{"key", "value"}}, {}});
    ASSERT_FALSE(done.ok());
    EXPECT_TRUE(done.error().IsRetry());
    EXPECT_EQ(done.error().kind, ErrorKind::kUnavailable);
    EXPECT_NE(done.error().message.find("127.0.0.1:1"), std::string::npos);
    EXPECT_EQ(done.error().message.find("sesame"), std::string::npos);
  }
}

}  // namespace
}  // namespace cdc
