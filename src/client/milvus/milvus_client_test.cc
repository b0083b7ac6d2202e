#include "client/milvus/milvus_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

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

// A step of several calls goes on in the callback of the first, on gRPC's thread.
TEST(MilvusClientTest, ACallbackMayCallAgainWhileTheClientEnds) {
  for (int round = 0; round < 20; ++round) {
    auto opened = MilvusClient::Open(Nobody());
    ASSERT_TRUE(opened.ok());
    std::shared_ptr<MilvusClient> client = *std::move(opened);
    std::atomic<bool> ending = false;
    std::atomic<int> answered = 0;
    client->GetVersion([&, raw = client.get()](auto) {
      while (!ending) std::this_thread::yield();
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();  // most likely within its end
      raw->GetVersion([&](auto) { ++answered; });
    });
    ending = true;
    client.reset();
    EXPECT_EQ(answered, 1);
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
