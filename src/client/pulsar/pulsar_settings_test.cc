#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/wire.h"
#include "client/pulsar/libpulsar_connection.h"
#include "client/pulsar/libpulsar_diary.h"
#include "client/pulsar/pulsar_auth.h"
#include "client/pulsar/pulsar_id.h"

namespace cdc {
namespace {

using Kind = PulsarAuth::Kind;
using testing::HasSubstr;
using testing::Not;
using namespace std::string_literals;

TEST(PulsarId, ReadsWhatClientsWrite) {
  // Written by libpulsar for a message of its own, and for the second of a batch of three.
  const auto alone = DecodePulsarMessageId("\x08\x07\x10\x00"s);
  ASSERT_TRUE(alone.ok());
  EXPECT_EQ(alone->id, (LogId{7, 0}));
  EXPECT_FALSE(alone->in_batch);
  const auto batch = DecodePulsarMessageId("\x08\x07\x10\x01\x20\x01\x30\x03"s);
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->id, (LogId{7, 1}));
  EXPECT_TRUE(batch->in_batch);
  // As the Go client of Milvus 2.3 writes it: partition 0, batch index 0.
  const auto milvus = DecodePulsarMessageId("\x08\xb9\x60\x10\x05\x18\x00\x20\x00"s);
  ASSERT_TRUE(milvus.ok());
  EXPECT_EQ(milvus->id, (LogId{12345, 5}));
  EXPECT_FALSE(milvus->in_batch);
}

TEST(PulsarId, ABatchOfOneIsAnOrdinaryMessage) {
  const auto id = DecodePulsarMessageId("\x08\x07\x10\x01\x20\x00\x30\x01"s);
  ASSERT_TRUE(id.ok());
  EXPECT_FALSE(id->in_batch);
}

TEST(PulsarId, RefusesWhatNamesNoMessage) {
  WireWriter earliest;
  earliest.Varint(1, UINT64_MAX);
  earliest.Varint(2, UINT64_MAX);
  WireWriter empty_topic;
  empty_topic.Varint(1, 9);
  empty_topic.Varint(2, UINT64_MAX);
  for (const std::string& bytes :
       {""s, "\x08\x07"s, "\x08"s, "12345678"s, earliest.str(), empty_topic.str()}) {
    EXPECT_FALSE(DecodePulsarMessageId(bytes).ok());
  }
}

TEST(PulsarId, TheIdBefore) {
  EXPECT_EQ(EncodePulsarIdBefore({7, 1}), "\x08\x07\x10\x00"s);
  EXPECT_EQ(EncodePulsarId({7, 1}), "\x08\x07\x10\x01\x18\x00\x20\x00"s);
  // -1 as a varint.
  EXPECT_EQ(EncodePulsarIdBefore({7, 0}), "\x08\x07\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s);
}

PulsarAuth Parsed(const std::string& plugin, const std::string& params) {
  const auto auth = ParsePulsarAuth(plugin, params);
  EXPECT_TRUE(auth.ok()) << auth.error().message;
  return auth.ok() ? *auth : PulsarAuth{};
}

TEST(PulsarAuth, TokensInEveryForm) {
  const std::string java = "org.apache.pulsar.client.impl.auth.AuthenticationToken";
  for (const auto& [plugin, params] :
       std::vector<std::pair<std::string, std::string>>{{"token", "token:a.b.c"},
                                                        {java, "token:a.b.c"},
                                                        {java, R"({"token": "a.b.c"})"},
                                                        {"", "token:a.b.c"},
                                                        {"token", " a.b.c"}}) {
    const PulsarAuth auth = Parsed(plugin, params);
    EXPECT_EQ(auth.kind, Kind::kToken);
    EXPECT_EQ(auth.first, "token:a.b.c") << plugin << " " << params;
    EXPECT_THAT(auth.secrets, testing::Contains("a.b.c"));
  }
  EXPECT_EQ(Parsed("token", "file:///run/token").first, "file:///run/token");
  EXPECT_EQ(Parsed("token", R"({"file": "/run/token"})").first, "file:///run/token");
  EXPECT_EQ(Parsed("token", "env:TOKEN").first, "env:TOKEN");
  EXPECT_EQ(Parsed("", "").kind, Kind::kNone);
}

TEST(PulsarAuth, TheOtherPlugins) {
  const PulsarAuth tls = Parsed("tls", "tlsCertFile:/c.pem, tlsKeyFile:/k.pem");
  EXPECT_EQ(tls.kind, Kind::kTls);
  EXPECT_EQ(tls.first, "/c.pem");
  EXPECT_EQ(tls.second, "/k.pem");
  const PulsarAuth basic = Parsed("basic", R"({"username": "u", "password": "p:w"})");
  EXPECT_EQ(basic.first + "/" + basic.second, "u/p:w");
  EXPECT_THAT(basic.secrets, testing::ElementsAre("p:w"));
  const PulsarAuth oauth2 = Parsed("org.apache.pulsar.client.impl.auth.oauth2.AuthenticationOAuth2",
                                   "issuerUrl:https://i:8/x,privateKey:file:///k,audience:a");
  EXPECT_EQ(oauth2.kind, Kind::kOauth2);
  EXPECT_EQ(oauth2.first,
            R"({"audience":"a","issuer_url":"https://i:8/x","private_key":"file:///k"})");
}

TEST(PulsarAuth, RefusalsShowNoValue) {
  for (const auto& [plugin, params] :
       std::vector<std::pair<std::string, std::string>>{{"kerberos", "token:geheim"},
                                                        {"basic", "username:u,pass:geheim"},
                                                        {"tls", "geheim"},
                                                        {"token", "tokn:geheim"},
                                                        {"oauth2", "{geheim"}}) {
    const auto auth = ParsePulsarAuth(plugin, params);
    ASSERT_FALSE(auth.ok()) << plugin;
    EXPECT_EQ(auth.error().kind, ErrorKind::kInvalid);
    EXPECT_THAT(auth.error().message, Not(HasSubstr("geheim")));
  }
}

TEST(LibpulsarDiary, HidesSecretsAndKeepsTheReason) {
  LibpulsarDiary diary;
  diary.Hide({"geheim", ""});
  diary.Write(libpulsar::kLogError, "Handshake failed with geheim and geheim");
  diary.Write(libpulsar::kLogError, "[a -> b] Connection closed with ConnectError");
  diary.Write(libpulsar::kLogInfo, "[a -> b] Connected to broker");
  EXPECT_EQ(diary.page().last, "Handshake failed with *** and ***");
  EXPECT_EQ(diary.page().lines, 1u);
  EXPECT_EQ(diary.page().connections, 1u);
}

TEST(PulsarServiceUrl, WhatLibpulsarUnderstands) {
  EXPECT_EQ(*PulsarServiceUrl("broker:6650"), "pulsar://broker:6650");
  EXPECT_EQ(*PulsarServiceUrl("pulsar+ssl://a:6651,b:6651/"), "pulsar+ssl://a:6651,b:6651");
  for (const char* wrong : {"", "pulsar://", "kafka://a:1", "a:x", "pulsar://a:1,", "u:p@h:6650",
                            "pulsar://a/b", "pulsar://a:123456"}) {
    EXPECT_FALSE(PulsarServiceUrl(wrong).ok()) << wrong;
  }
}

TEST(OpenPulsarLog, SaysWhereTheLibraryComesFrom) {
  PulsarOptions options;
  options.service_url = "127.0.0.1:1";
  options.library = "/nowhere/libpulsar.so";
  const auto log = OpenPulsarLog(options);
  ASSERT_FALSE(log.ok());
  EXPECT_FALSE(log.error().IsRetry());
  EXPECT_THAT(log.error().message, HasSubstr("/nowhere/libpulsar.so"));
  EXPECT_THAT(log.error().message, HasSubstr("apache-pulsar-client"));
  options.library = "libm.so.6";
  EXPECT_THAT(OpenPulsarLog(options).error().message, HasSubstr("it lacks pulsar_"));
}

}  // namespace
}  // namespace cdc
