#include "store/mysql_dsn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cdc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

MysqlDsn Parse(const std::string& text) {
  const Result<MysqlDsn> dsn = ParseMysqlDsn(text);
  EXPECT_TRUE(dsn.ok()) << text << ": " << dsn.error().message;
  return dsn.ok() ? *dsn : MysqlDsn{};
}

std::string ErrorOf(const std::string& text) {
  const Result<MysqlDsn> dsn = ParseMysqlDsn(text);
  EXPECT_FALSE(dsn.ok()) << text;
  if (dsn.ok()) return "";
  EXPECT_EQ(dsn.error().kind, ErrorKind::kInvalid);
  EXPECT_THAT(dsn.error().message, HasSubstr("metaStoreConfig.mysqlSourceUrl"));
  return dsn.error().message;
}

TEST(MysqlDsn, AsTheExistingConfigurationHasIt) {
  const MysqlDsn dsn =
      Parse("root:sesame@tcp(10.0.0.1:3307)/milvuscdc?charset=utf8&parseTime=True");
  EXPECT_EQ(dsn.user, "root");
  EXPECT_EQ(dsn.password, "sesame");
  EXPECT_EQ(dsn.host, "10.0.0.1");
  EXPECT_EQ(dsn.port, 3307);
  EXPECT_EQ(dsn.socket, "");
  EXPECT_EQ(dsn.database, "milvuscdc");
  EXPECT_EQ(dsn.tls, MysqlDsn::Tls::kOff);
  EXPECT_THAT(dsn.ignored, ElementsAre("charset", "parseTime"));
  EXPECT_EQ(dsn.Where(), "10.0.0.1:3307/milvuscdc");
}

TEST(MysqlDsn, WhatIsMissingHasDefaults) {
  for (const char* text : {"/db", "tcp/db", "tcp()/db", "tcp(:3306)/db", "tcp(127.0.0.1)/db"}) {
    const MysqlDsn dsn = Parse(text);
    EXPECT_EQ(dsn.host, "127.0.0.1") << text;
    EXPECT_EQ(dsn.port, 3306) << text;
    EXPECT_EQ(dsn.user, "") << text;
    EXPECT_EQ(dsn.database, "db") << text;
    EXPECT_THAT(dsn.ignored, IsEmpty()) << text;
    EXPECT_EQ(dsn.read_seconds, 5) << text;
  }
  EXPECT_EQ(Parse("only@/db").user, "only");
  EXPECT_EQ(Parse("only@/db").password, "");
}

TEST(MysqlDsn, PasswordMayHoldAnySign) {
  const MysqlDsn dsn = Parse("u:p@ss/w:o(r)d?%41@tcp(h:1)/d%2Db");
  EXPECT_EQ(dsn.user, "u");
  EXPECT_EQ(dsn.password, "p@ss/w:o(r)d?%41");
  EXPECT_EQ(dsn.host, "h");
  EXPECT_EQ(dsn.database, "d-b");
}

TEST(MysqlDsn, SocketsAndIpv6) {
  EXPECT_EQ(Parse("u@unix(/run/mysqld/mysqld.sock)/db").socket, "/run/mysqld/mysqld.sock");
  EXPECT_EQ(Parse("u@unix(/a/b.sock)/db").Where(), "/a/b.sock db");
  EXPECT_EQ(Parse("u@tcp([::1]:3307)/db").host, "::1");
  EXPECT_EQ(Parse("u@tcp([::1]:3307)/db").port, 3307);
  EXPECT_EQ(Parse("u@tcp([fe80::1])/db").port, 3306);
}

TEST(MysqlDsn, TimesAreWholeSecondsOfAtLeastOne) {
  const MysqlDsn dsn = Parse("/db?timeout=1m30s&readTimeout=500ms&writeTimeout=0");
  EXPECT_EQ(dsn.connect_seconds, 90);
  EXPECT_EQ(dsn.read_seconds, 1);
  EXPECT_EQ(dsn.write_seconds, 5);  // never without a limit
  for (const char* wrong : {"5", "s", "-5s", "5 s", "1e3s", "99999h", "5d", ""}) {
    EXPECT_THAT(ErrorOf(std::string("/db?timeout=") + wrong), HasSubstr("timeout")) << wrong;
  }
}

TEST(MysqlDsn, TlsIsHonouredOrRefused) {
  EXPECT_EQ(Parse("/db?tls=true").tls, MysqlDsn::Tls::kVerify);
  EXPECT_EQ(Parse("/db?tls=skip-verify").tls, MysqlDsn::Tls::kSkipVerify);
  EXPECT_EQ(Parse("/db?tls=preferred").tls, MysqlDsn::Tls::kPreferred);
  EXPECT_EQ(Parse("/db?tls=false").tls, MysqlDsn::Tls::kOff);
  EXPECT_THAT(ErrorOf("/db?tls=my-config"), HasSubstr("tls=true"));
}

TEST(MysqlDsn, WrongOnesAreRefusedWithoutQuotingThem) {
  for (const char* wrong :
       {"", "u:sesame@tcp(h:1)", "u:sesame@tcp(h:1)/", "u:sesame@tcp(h:x)/db",
        "u:sesame@tcp(h:0)/db", "u:sesame@tcp(h:70000)/db", "u:sesame@tcp(h:1/db",
        "u:sesame@udp(h:1)/db", "u:sesame@unix/db", "u:sesame@tcp(::1)/db",
        "u:sesame@tcp(h:1)/db?a", "u:sesame@tcp(h:1)/db?a=%4", "u:sesame@tcp(h:1)/db%zz"}) {
    EXPECT_THAT(ErrorOf(wrong), Not(HasSubstr("sesame"))) << wrong;
  }
}

}  // namespace
}  // namespace cdc
