#include "client/etcd/etcd_client.h"

#include <gtest/gtest.h>

namespace cdc {
namespace {

TEST(EtcdInterval, PrefixEndsBehindItsLastKey) {
  EXPECT_EQ(EtcdInterval::Prefix("a/").end, "a0");
  EXPECT_EQ(EtcdInterval::Prefix("a\xff").end, "b");
  EXPECT_EQ(EtcdInterval::Prefix("\xff").end, std::string(1, '\0'));
  EXPECT_EQ(EtcdInterval::Prefix("").begin, std::string(1, '\0'));
}

Error OpenError(EtcdConfig config) {
  auto client = EtcdClient::Open(std::move(config));
  return client.ok() ? Error{} : client.error();
}

TEST(EtcdClient, RefusesAWrongConfigurationWithAReason) {
  EXPECT_EQ(OpenError({}).kind, ErrorKind::kInvalid);
  EtcdConfig config;
  for (const char* endpoint : {"localhost", "localhost:", ":2379", "http://localhost:x"}) {
    config.endpoints = {endpoint};
    const Error error = OpenError(config);
    EXPECT_EQ(error.kind, ErrorKind::kInvalid) << endpoint;
    EXPECT_NE(error.message.find(endpoint), std::string::npos) << error.message;
  }
  config.endpoints = {"https://localhost:2379"};
  config.ca_pem_path = "/does/not/exist.pem";
  EXPECT_NE(OpenError(config).message.find("/does/not/exist.pem"), std::string::npos);
  config.ca_pem_path.clear();
  config.client_pem_path = "/only/one.pem";
  EXPECT_EQ(OpenError(config).kind, ErrorKind::kInvalid);
}

TEST(EtcdClient, NobodyThereIsARetryThatNamesTheEndpoint) {
  EtcdConfig config;
  config.endpoints = {"http://127.0.0.1:1/"};
  auto client = EtcdClient::Open(config);
  ASSERT_TRUE(client.ok());
  const auto page = (*client)->Range(EtcdInterval::Key("a"), {});
  ASSERT_FALSE(page.ok());
  EXPECT_TRUE(page.error().IsRetry());
  EXPECT_EQ(page.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(page.error().message.find("127.0.0.1:1"), std::string::npos) << page.error().message;

  auto watch = (*client)->Watch(EtcdInterval::Key("a"), 1);
  ASSERT_TRUE(watch.ok());
  EXPECT_FALSE((*watch)->Next().ok());
  (*client)->Close();
  EXPECT_TRUE((*client)->Range(EtcdInterval::Key("a"), {}).error().IsRetry());
}

}  // namespace
}  // namespace cdc
