// What can be said before a server answers. Answers themselves: tests/integration/test_cli.py.
#include "cli/remote.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

namespace cdc {
namespace {

RemoteOptions To(const std::string& server) {
  RemoteOptions options;
  options.server = server;
  return options;
}

std::string RefusalOf(const RemoteOptions& options) {
  const auto remote = OpenRemote(options);
  if (remote.ok()) return "";
  EXPECT_EQ(remote.error().kind, ErrorKind::kInvalid);
  return remote.error().message;
}

TEST(RemoteTest, AddressesThatAreUnderstood) {
  for (const char* server : {"http://127.0.0.1:8444", "https://cdc.example/prefix/",
                             "127.0.0.1:8444", "localhost:8444", "http://[::1]:8444"}) {
    EXPECT_EQ(RefusalOf(To(server)), "") << server;
  }
}

TEST(RemoteTest, AddressesThatAreRefused) {
  for (const char* server :
       {"", "http://", "ftp://a", "gopherr://a", "http://a:port", "http://a/?x=1", "http://a/#x"}) {
    EXPECT_NE(RefusalOf(To(server)).find("--server"), std::string::npos) << server;
  }
  const std::string message = RefusalOf(To("http://user:hush@a"));
  EXPECT_NE(message.find("--token-file"), std::string::npos);
  EXPECT_EQ(message.find("hush"), std::string::npos);
}

TEST(RemoteTest, FilesAreLookedAtBeforeAnythingIsSent) {
  const std::string file = testing::TempDir() + "cli_remote_file";
  std::ofstream(file) << "not PEM\n";
  RemoteOptions options = To("https://127.0.0.1:1");
  options.ca_file = "/no/such/file";
  EXPECT_NE(RefusalOf(options).find("--ca-file"), std::string::npos);
  options.ca_file = "";
  options.cert_file = file;
  EXPECT_NE(RefusalOf(options).find("--key"), std::string::npos);
}

TEST(RemoteTest, ATokenThatHttpCannotCarryIsRefusedUnseen) {
  RemoteOptions options = To("http://127.0.0.1:1");
  options.token = "hush\r\nX-Other: 1";
  const std::string message = RefusalOf(options);
  EXPECT_NE(message.find("token"), std::string::npos);
  EXPECT_EQ(message.find("hush"), std::string::npos);
}

TEST(RemoteTest, WhereNobodyListensTheErrorAsksForTheServer) {
  // Bound and not listening: nobody else can listen there while the test runs.
  const int holder = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(holder, plain, length), 0);
  ASSERT_EQ(getsockname(holder, plain, &length), 0);
  const std::string server = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  auto remote = OpenRemote(To(server));
  ASSERT_TRUE(remote.ok());
  const Result<ApiAnswer> answer = (*remote)->Send({"GET", "/api/v1/tasks", ""});
  close(holder);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(answer.error().message.find("nothing answers at " + server), std::string::npos);
  EXPECT_NE(answer.error().message.find("milvus-cdc serve"), std::string::npos);
}

}  // namespace
}  // namespace cdc
