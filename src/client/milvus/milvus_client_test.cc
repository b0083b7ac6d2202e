#include "client/milvus/milvus_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <future>
#include <thread>

#include "client/milvus/scripted_milvus_for_tests.h"

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

// A way to a target that is far away: the first bytes of a connection need `delay`.
class FarAway {
 public:
  FarAway(const TargetAddress& target, std::chrono::milliseconds delay) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_, any, size), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    EXPECT_EQ(getsockname(listener_, any, &size), 0);
    port_ = ntohs(address.sin_port);
    address.sin_port = htons(target.port);
    thread_ = std::thread([this, address, delay] { Serve(address, delay); });
  }
  ~FarAway() {
    over_.set_value();
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  uint16_t port() const { return port_; }

 private:
  // One connection after another, each until one side ends it.
  void Serve(sockaddr_in target, std::chrono::milliseconds delay) {
    const std::future<void> over = over_.get_future();
    while (true) {
      const int near = accept(listener_, nullptr, nullptr);
      if (near < 0) return;
      if (over.wait_for(delay) == std::future_status::ready) {
        close(near);
        return;
      }
      const int far = socket(AF_INET, SOCK_STREAM, 0);
      if (connect(far, reinterpret_cast<sockaddr*>(&target), sizeof target) == 0) {
        while (over.wait_for(std::chrono::seconds(0)) != std::future_status::ready &&
               Pass(near, far)) {
        }
      }
      close(near);
      close(far);
    }
  }
  static bool Pass(int a, int b) {
    std::array<pollfd, 2> ends{pollfd{a, POLLIN, 0}, pollfd{b, POLLIN, 0}};
    poll(ends.data(), ends.size(), 10);
    for (const size_t from : {0, 1}) {
      if (ends[from].revents == 0) continue;
      std::array<char, 4096> bytes;
      const ssize_t read = recv(ends[from].fd, bytes.data(), bytes.size(), 0);
      if (read <= 0) return false;
      send(ends[1 - from].fd, bytes.data(), static_cast<size_t>(read), MSG_NOSIGNAL);
    }
    return true;
  }

  int listener_ = -1;
  uint16_t port_ = 0;
  std::promise<void> over_;
  std::thread thread_;
};

// Over a TLS handshake a target on another continent is half a second away.
TEST(MilvusClientTest, ATargetMayTakeItsTimeToConnect) {
  ScriptedMilvus target([](const std::string&) { return std::string(); });
  const FarAway way(target.address(), std::chrono::milliseconds(800));
  TargetAddress address = target.address();
  address.port = way.port();
  auto opened = MilvusClient::Open(address);
  ASSERT_TRUE(opened.ok());
  std::shared_ptr<MilvusClient> client = *std::move(opened);
  const auto version =
      Await<Result<std::string>>([&](auto done) { client->GetVersion(std::move(done)); });
  EXPECT_TRUE(version.ok()) << version.error().message;
  client.reset();
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
