#include "client/milvus/milvus_client.h"

#include <gtest/gtest.h>

#include <atomic>

namespace cdc {
namespace {

// Nobody listens on port 1 of the loopback interface.
TargetAddress Nobody() {
  TargetAddress address;
  address.host = "127.0.0.1";
  address.port = 1;
  address.token = "root:very-secret";
  return address;
}

TEST(MilvusClientTest, AWriteToNobodyWasSurelyNotApplied) {
  const auto client = MilvusClient::Open(Nobody());
  ASSERT_TRUE(client.ok());
  const auto answer = Await<Result<MutationCounts>>(
      [&](auto done) { (*client)->Insert("default", Slices(), std::move(done)); });
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().disposition, Disposition::kRetry);
  EXPECT_EQ(answer.error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(answer.error().message.find("very-secret"), std::string::npos);
}

TEST(MilvusClientTest, DestructionWaitsForEveryCallback) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> answered = 0;
    {
      auto client = MilvusClient::Open(Nobody());
      ASSERT_TRUE(client.ok());
      for (int call = 0; call < 5; ++call) {
        (*client)->Describe({"default", "c"}, [&](auto) { ++answered; });
        (*client)->GetVersion([&](auto) { ++answered; });
      }
    }
    EXPECT_EQ(answered, 10);
  }
}

TEST(MilvusClientTest, AnUnreadableCertificateIsNamed) {
  TargetAddress address = Nobody();
  address.tls = true;
  address.ca_pem_path = "/nowhere/ca.pem";
  const auto client = MilvusClient::Open(address);
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(client.error().message.find("/nowhere/ca.pem"), std::string::npos);
}

}  // namespace
}  // namespace cdc
