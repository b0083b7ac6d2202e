// What the environment adds to cdc.yaml, every mistake at once, and what `config check` shows.
#include "server/config_reading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "server/config_check.h"

namespace cdc {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class ConfigReadingTest : public testing::Test {
 protected:
  ConfigReadingTest() {
    std::string name = "/tmp/cdc_config_test.XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~ConfigReadingTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
    return folder_ + "/" + name;
  }
  static ServerConfig Read(const std::string& yaml, const Environment& environment) {
    ConfigReading reading = ReadConfig(yaml, "cdc.yaml", environment);
    EXPECT_THAT(reading.errors, IsEmpty());
    return reading.config;
  }
  static std::vector<std::string> Errors(const std::string& yaml, const Environment& environment) {
    return ReadConfig(yaml, "cdc.yaml", environment).errors;
  }

  std::string folder_;
};

TEST_F(ConfigReadingTest, TheEnvironmentOverridesTheFile) {
  const ServerConfig c = Read(
      "address: 127.0.0.1:1\nmaxTaskNum: 1\nsourceConfig:\n  etcd: {address: [file:1], rootPath: "
      "r}\n",
      {{"MILVUS_CDC__ADDRESS", "127.0.0.1:2"},
       {"milvus_cdc__maxtasknum", "2"},
       {"MILVUS_CDC__SOURCECONFIG__ETCD__ADDRESS", "a:1, b:2"},
       {"MILVUS_CDC__METASTORECONFIG__ETCDENDPOINTS", "[c:1, 'd:2']"},
       {"MILVUS_CDC__COMPATIBILITY__HTTPSTATUS", "true"},
       {"MILVUS_CDC__SOURCECONFIG__KAFKA__CONSUMER", "{client.id: x, 'a.b': 'c d'}"},
       {"MILVUS_CDC__SECURITY__APITOKEN", "literal${env:NOT_EXPANDED}"},
       {"MILVUS_CDC_URL", "not ours"},
       {"PATH", "/bin"}});
  EXPECT_EQ(c.address, "127.0.0.1:2");
  EXPECT_EQ(c.max_task_num, 2);
  EXPECT_THAT(c.source.etcd.addresses, ElementsAre("a:1", "b:2"));
  EXPECT_EQ(c.source.etcd.root_path, "r");
  EXPECT_THAT(c.meta_store.etcd.addresses, ElementsAre("c:1", "d:2"));
  EXPECT_TRUE(c.http_status);
  EXPECT_EQ(c.source.kafka.consumer.at("client.id"), "x");
  EXPECT_EQ(c.source.kafka.consumer.at("a.b"), "c d");
  EXPECT_EQ(c.security.api_token, "literal${env:NOT_EXPANDED}");
}

TEST_F(ConfigReadingTest, AVariableDecidesAsTheFileWould) {
  EXPECT_EQ(Read("", {{"MILVUS_CDC__SOURCECONFIG__PULSAR__ADDRESS", "pulsar://p:1"}}).source.log,
            LogKind::kPulsar);
  EXPECT_EQ(Read("sourceConfig: {pulsar: {address: 'pulsar://p:1'}}",
                 {{"MILVUS_CDC__SOURCECONFIG__ROCKSMQ__PATH", "/data"}})
                .source.log,
            LogKind::kRocksmq);
  EXPECT_EQ(Read("", {{"MILVUS_CDC__SOURCECONFIG__ETCD__ROOTPATH", "r"}}).source.replicate_channel,
            "r-replicate-msg");
  EXPECT_THAT(Read("sourceConfig: {etcd: {address: [new:1]}}",
                   {{"MILVUS_CDC__SOURCECONFIG__ETCDADDRESS", "old:1"}})
                  .source.etcd.addresses,
              ElementsAre("old:1"));
}

TEST_F(ConfigReadingTest, AVariableMayNameAFile) {
  const std::string path = Write("token", "t0ken\n");
  EXPECT_EQ(Read("", {{"MILVUS_CDC__SECURITY__APITOKEN_FILE", path}}).security.api_token, "t0ken");
  const std::string windows = Write("windows", "t0ken\r\n");
  EXPECT_EQ(Read("", {{"MILVUS_CDC__SECURITY__APITOKEN_FILE", windows}}).security.api_token,
            "t0ken");
  EXPECT_THAT(Errors("", {{"MILVUS_CDC__SECURITY__APITOKEN_FILE", "/nowhere/x"}}),
              testing::Contains(AllOf(HasSubstr("MILVUS_CDC__SECURITY__APITOKEN_FILE"),
                                      HasSubstr("cannot read the file /nowhere/x"))));
  EXPECT_THAT(Errors("", {{"MILVUS_CDC__SECURITY__APITOKEN_FILE", path},
                          {"MILVUS_CDC__SECURITY__APITOKEN", "x"}}),
              ElementsAre(HasSubstr("set the same key: keep one")));
  EXPECT_THAT(Errors("", {{"MILVUS_CDC__SECURITY__APITOKEN_FILE", Write("empty", "\n")}}),
              ElementsAre(HasSubstr("'security.apiToken' is empty")));
}

TEST_F(ConfigReadingTest, MistakesInVariablesNameThem) {
  const struct {
    const char* name;
    const char* value;
    const char* message;
  } cases[] = {
      {"MILVUS_CDC__SOURCECONFIG__ETCDADRESS", "a:1",
       "MILVUS_CDC__SOURCECONFIG__ETCDADRESS: no such key; did you mean "
       "MILVUS_CDC__SOURCECONFIG__ETCDADDRESS?"},
      {"MILVUS_CDC__QWERTZUIOPQWERTZUIOP", "1", "config check --show' lists all keys"},
      {"MILVUS_CDC__SECURITY__TLS", "{}", "this is a section; set its keys one by one"},
      {"MILVUS_CDC__MAXTASKNUM", "many",
       "environment variable MILVUS_CDC__MAXTASKNUM: 'maxTaskNum' must be a whole number"},
      {"MILVUS_CDC__MAXTASKNUM", "", "must be a whole number"},
      {"MILVUS_CDC__DRYRUN", "maybe", "'dryRun' must be true or false"},
      {"MILVUS_CDC__SOURCECONFIG__ETCD__ADDRESS", " ", "'sourceConfig.etcd.address' is empty"},
      {"MILVUS_CDC__SOURCECONFIG__ETCD__ADDRESS", "[a", "must be a list as a,b or [a, b]"},
      {"MILVUS_CDC__SOURCECONFIG__KAFKA__CONSUMER", "a", "must hold keys and texts"},
      {"MILVUS_CDC__SECURITY__APITOKEN", "", "'security.apiToken' is empty"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(Errors("", {{c.name, c.value}}), ElementsAre(HasSubstr(c.message))) << c.name;
  }
}

TEST_F(ConfigReadingTest, ReferencesStandForVariablesAndFiles) {
  const std::string path = Write("password", "p ss: #word\n");
  const ServerConfig c = Read(
      "security: {apiToken: 'x${env:A}-${env:B}y'}\n"
      "maxTaskNum: ${env:NUMBER}\n"
      "sourceConfig:\n"
      "  etcd:\n"
      "    address: ['${env:A}:1', b:2]\n"
      "    password: ${file:" +
          path +
          "}\n"
          "  kafka: {consumer: {sasl.password: '${env:B}'}}\n"
          "  replicateChan: a${b}$${env:A}$c$$\n",
      {{"A", "a"}, {"B", "$${env:A}"}, {"NUMBER", "3"}});
  EXPECT_EQ(c.security.api_token, "xa-$${env:A}y");  // what stands for something is not read again
  EXPECT_EQ(c.max_task_num, 3);
  EXPECT_THAT(c.source.etcd.addresses, ElementsAre("a:1", "b:2"));
  EXPECT_EQ(c.source.etcd.password, "p ss: #word");
  EXPECT_EQ(c.source.kafka.consumer.at("sasl.password"), "$${env:A}");
  EXPECT_EQ(c.source.replicate_channel, "a${b}${env:A}$c$$");
}

TEST_F(ConfigReadingTest, ReferencesToNothingAreNamedWithTheirPlace) {
  EXPECT_THAT(Errors("security:\n  apiToken: ${env:NOT_SET}\n", {}),
              testing::Contains("cdc.yaml:2:13: 'security.apiToken': the environment variable "
                                "'NOT_SET' is not set"));
  EXPECT_THAT(
      Errors("sourceConfig: {etcd: {password: '${file:/nowhere/p}'}}\n", {}),
      ElementsAre(HasSubstr("'sourceConfig.etcd.password': cannot read the file /nowhere/p")));
  EXPECT_THAT(Errors("sourceConfig: {etcd: {password: '${file:" + folder_ + "}'}}\n", {}),
              ElementsAre(HasSubstr("cannot read the file " + folder_)));
  EXPECT_THAT(Errors("replicateID: '${env:OPEN'\n", {{"OPEN", "x"}}),
              ElementsAre(HasSubstr("'${env:' has no closing '}'")));
  const std::string large = Write("large", std::string(70'000, 'x'));
  EXPECT_THAT(Errors("replicateID: ${file:" + large + "}\n", {}),
              ElementsAre(HasSubstr("larger than 64 KiB")));
}

TEST_F(ConfigReadingTest, ResolvedValuesAreNeverTold) {
  const std::string planted = "planted-s3cret";
  const std::string path = Write("secret", planted + " \n");
  const Environment environment{{"SECRET", planted + " "}};
  for (const std::string& reference : {std::string("${env:SECRET}"), "${file:" + path + "}"}) {
    for (const char* key :
         {"address", "logLevel", "maxTaskNum", "dryRun", "security.apiToken", "http.maxConnections",
          "metaStoreConfig.storeType", "metaStoreConfig.etcd.tlsMinVersion", "replicateID",
          "sourceConfig.etcd.address", "metaStoreConfig.mysqlSourceUrl", "reverseMilvus"}) {
      std::string yaml(key);
      size_t depth = 0;
      for (size_t dot = 0; (dot = yaml.find('.')) != std::string::npos;) {
        yaml.replace(dot, 1, ":\n" + std::string(++depth, ' '));
      }
      const ConfigReading reading =
          ReadConfig(yaml + ": '" + reference + "'\n", "cdc.yaml", environment);
      for (const std::string& error : reading.errors) EXPECT_THAT(error, Not(HasSubstr(planted)));
      EXPECT_THAT(ShowConfig(reading.entries), Not(HasSubstr(planted))) << key;
    }
  }
  for (const char* key : {"LOGLEVEL", "ADDRESS", "MAXTASKNUM", "METASTORECONFIG__STORETYPE"}) {
    const ConfigReading reading =
        ReadConfig("", "cdc.yaml", {{std::string("MILVUS_CDC__") + key + "_FILE", path}});
    ASSERT_THAT(reading.errors, testing::SizeIs(1)) << key;
    EXPECT_THAT(reading.errors[0], Not(HasSubstr(planted)));
    EXPECT_THAT(ShowConfig(reading.entries), Not(HasSubstr(planted))) << key;
  }
}

TEST_F(ConfigReadingTest, EveryMistakeIsToldInTheOrderOfTheFile) {
  const std::string yaml =
      "sourceConfig:\n"
      "  rocksmq: {pth: /x}\n"
      "  etcd:\n"
      "    adress: [a]\n"
      "maxTaskNum: many\n"
      "adress: x\n"
      "logLevel: loud\n";
  EXPECT_THAT(
      Errors(yaml, {{"MILVUS_CDC__NOSUCHKEYATALL", "1"}}),
      ElementsAre(StartsWith("cdc.yaml:2:13: unknown key"), StartsWith("cdc.yaml:4:5: unknown key"),
                  StartsWith("cdc.yaml:5:13:"), StartsWith("cdc.yaml:6:1: unknown key"),
                  StartsWith("cdc.yaml:7:11:"), HasSubstr("MILVUS_CDC__NOSUCHKEYATALL")));
  const Result<ServerConfig> first = ParseConfig(yaml, "cdc.yaml");
  ASSERT_FALSE(first.ok());
  EXPECT_THAT(first.error().message, AllOf(StartsWith("cdc.yaml:2:13:"), HasSubstr("and 4 more")));
}

TEST_F(ConfigReadingTest, CheckShowsWhatIsInEffectAndWhereItComesFrom) {
  const std::string path = Write("cdc.yaml",
                                 "address: 127.0.0.1:1\n"
                                 "security:\n"
                                 "  apiToken: s3cret-1\n"
                                 "sourceConfig:\n"
                                 "  etcd: {password: s3cret-2}\n"
                                 "  readChanLen: 4\n"
                                 "  pulsar:\n"
                                 "    address: pulsar://p:6650\n"
                                 "    authParams: s3cret-3\n"
                                 "  kafka:\n"
                                 "    consumer: {client.id: me, ssl.key.password: s3cret-4}\n");
  std::ostringstream out, err;
  EXPECT_EQ(CheckConfig(path, true, {{"MILVUS_CDC__MAXTASKNUM", "9"}}, out, err), 0);
  EXPECT_EQ(err.str(), "");
  const auto line = [](const std::string& key, const std::string& origin) {
    return testing::ContainsRegex("(^|\n)" + key + " +# [^\n]*" + origin);
  };
  EXPECT_THAT(out.str(), line("address: 127.0.0.1:1", "cdc.yaml:1\n"));
  EXPECT_THAT(out.str(), line("maxTaskNum: 9", "environment MILVUS_CDC__MAXTASKNUM\n"));
  EXPECT_THAT(out.str(), line("maxNameLength: 256", "default\n"));
  EXPECT_THAT(out.str(), line("  apiToken: \"[*]{3}\"", "cdc.yaml:3\n"));
  EXPECT_THAT(out.str(), line("  # readChanLen: 4", "cdc.yaml:6; no effect\n"));
  EXPECT_THAT(out.str(), HasSubstr("{client.id: me, ssl.key.password: \"***\"}"));
  EXPECT_THAT(out.str(), Not(HasSubstr("s3cret")));
  EXPECT_THAT(out.str(), Not(HasSubstr("rdb_data")));  // Pulsar is used instead
}

TEST_F(ConfigReadingTest, WhatIsShownReadsBackAsTheSame) {
  const Environment none;
  for (const char* yaml :
       {"", "address: 1.2.3.4:5\nlogLevel: warn\nmaxNameLength: 0\n",
        "sourceConfig: {etcdAddress: [a:1, b:2], etcdRootPath: r, etcd: {rootPath: x}}\n",
        "sourceConfig: {pulsar: {address: 'pulsar://p:1', "
        "tenant: \"a\\tb\\\"c: #d\"}}\n",
        "sourceConfig: {kafka: {address: 'k:1', consumer: {client.id: '{x}', a: ' '}}}\n",
        "retry: {retryTimes: 0, maxBackOff: 7}\npacker: {maxCount: 3}\n",
        "security: {insecureListen: true, tls: {certFile: '/my certs/c.pem'}}\n"}) {
    const std::string once = ShowConfig(ReadConfig(yaml, "a", none).entries);
    const ConfigReading again = ReadConfig(once, "b", none);
    EXPECT_THAT(again.errors, IsEmpty()) << once;
    const ConfigReading before = ReadConfig(yaml, "a", none);
    EXPECT_EQ(again.config.source.log, before.config.source.log) << yaml;
    EXPECT_EQ(again.config.address, before.config.address);
    EXPECT_EQ(again.config.source.etcd.addresses, before.config.source.etcd.addresses);
    EXPECT_EQ(again.config.source.kafka.consumer, before.config.source.kafka.consumer);
    EXPECT_EQ(again.config.security.tls_cert_file, before.config.security.tls_cert_file);
    // Every value that has an effect is the same.
    for (const ConfigEntry& entry : before.entries) {
      const auto same = std::find_if(again.entries.begin(), again.entries.end(),
                                     [&](const ConfigEntry& e) { return e.key == entry.key; });
      ASSERT_NE(same, again.entries.end());
      if (entry.note.empty()) {
        EXPECT_EQ(same->value, entry.value) << entry.key;
      }
    }
  }
}

TEST_F(ConfigReadingTest, CheckTellsEveryMistakeAndItsExitCode) {
  std::ostringstream out, err;
  const std::string good = Write("good.yaml", "address: 127.0.0.1:1\n");
  EXPECT_EQ(CheckConfig(good, false, {}, out, err), 0);
  EXPECT_EQ(out.str(), good + ": ok\n");
  EXPECT_EQ(err.str(), "");
  out.str("");
  EXPECT_EQ(CheckConfig("", false, {}, out, err), 0);
  EXPECT_THAT(out.str(), AllOf(HasSubstr("default settings"), HasSubstr(": ok\n")));

  out.str("");
  const std::string bad = Write("bad.yaml",
                                "adress: x\nreplicateID: r\nmaxTaskNum: x\naddress: 0.0.0.0:1\n"
                                "security: {tls: {certFile: /nowhere/c.pem, keyFile: /k}}\n");
  EXPECT_EQ(CheckConfig(bad, false, {}, out, err), 2);
  EXPECT_EQ(out.str(), "");
  for (const char* words :
       {"'adress'", "'maxTaskNum'", "replicateID (migration mode)",
        "security.tls.certFile: /nowhere/c.pem", "warning: anybody who reaches"}) {
    EXPECT_THAT(err.str(), HasSubstr(words));
  }
  err.str("");
  const std::string store =
      Write("store.yaml",
            "metaStoreConfig: {storeType: mysql, mysqlSourceUrl: 'root:sesame@udp(h:1)/cdc'}\n");
  EXPECT_EQ(CheckConfig(store, false, {}, out, err), 2);
  EXPECT_THAT(err.str(), HasSubstr("metaStoreConfig.mysqlSourceUrl has an unknown network"));
  EXPECT_THAT(err.str(), Not(HasSubstr("sesame")));
  err.str("");
  EXPECT_EQ(CheckConfig("/nowhere/cdc.yaml", false, {}, out, err), 2);
  EXPECT_THAT(err.str(), HasSubstr("/nowhere/cdc.yaml"));
}

// The keys that a table of the documentation has in its first column.
std::set<std::string> DocumentedKeys() {
  const auto path =
      std::filesystem::path(__FILE__).parent_path() / "../../docs/operations/configuration.md";
  std::ifstream in(path);
  EXPECT_TRUE(in.is_open()) << path;
  std::set<std::string> keys;
  const std::regex word("`([A-Za-z.]+)`");
  for (std::string line; std::getline(in, line) && line.rfind("## Tasks", 0) != 0;) {
    if (line.rfind("| `", 0) != 0) continue;
    const std::string column = line.substr(1, line.find('|', 1) - 1);
    for (std::sregex_iterator it(column.begin(), column.end(), word), end; it != end; ++it) {
      keys.insert((*it)[1]);
    }
  }
  return keys;
}

TEST_F(ConfigReadingTest, EveryKeyIsDocumentedAndNoOther) {
  std::set<std::string> keys;
  for (const ConfigEntry& entry : ReadConfig("", "cdc.yaml", {}).entries) keys.insert(entry.key);
  EXPECT_EQ(DocumentedKeys(), keys);
}

}  // namespace
}  // namespace cdc
