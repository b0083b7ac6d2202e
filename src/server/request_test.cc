#include "server/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/wire.h"

namespace cdc {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

RequestLimits Limits() {
  return {.max_name_length = 20, .replicate_channel = "src-replicate-msg"};
}

json Base() {
  return {{"milvus_connect_param", {{"uri", "http://target:19530"}}},
          {"collection_infos", json::array({{{"name", "a"}}})}};
}

std::variant<CdcRequest, RequestFailure> Parse(const std::string& type, const json& data) {
  return ParseRequest(json{{"request_type", type}, {"request_data", data}}.dump(), Limits());
}

RequestFailure FailureOf(const std::variant<CdcRequest, RequestFailure>& parsed) {
  const auto* failure = std::get_if<RequestFailure>(&parsed);
  return failure != nullptr ? *failure : RequestFailure{0, "accepted", "", ""};
}

// A valid create request with members of `patch` replaced (null removes).
RequestFailure CreateFailure(const json& patch) {
  json data = Base();
  data.merge_patch(patch);
  return FailureOf(Parse("create", data));
}

TaskSpec Create(const json& patch) {
  json data = Base();
  data.merge_patch(patch);
  auto parsed = Parse("create", data);
  EXPECT_EQ(FailureOf(parsed).message, "accepted");
  auto* request = std::get_if<CdcRequest>(&parsed);
  return request != nullptr ? request->create : TaskSpec{};
}

json Infos(std::initializer_list<const char*> names) {
  json list = json::array();
  for (const char* name : names) list.push_back({{"name", name}});
  return list;
}

// base64 of a MsgPosition; what is empty is left out.
std::string Position(const std::string& channel, const std::string& id, Timestamp ts = 0) {
  WireWriter position;
  if (!channel.empty()) position.Bytes(1, channel);
  if (!id.empty()) position.Bytes(2, id);
  if (ts != 0) position.Varint(4, ts);
  return Base64(position.str());
}

TEST(RequestTest, EnvelopeMistakes) {
  const struct {
    const char* body;
    int code;
    const char* message;
    const char* status;
  } cases[] = {
      {"", 500, "fail to unmarshal the request, error: ", "unmarshal_error"},
      {"{", 500, "fail to unmarshal the request, error: ", "unmarshal_error"},
      {"[]", 500, "fail to unmarshal the request, error: ", "unmarshal_error"},
      {"{\"request_type\":1}", 500, "fail to unmarshal the request, error: ", "unmarshal_error"},
      {"{\"request_type\":\"list\",\"request_data\":[]}", 500, "'request_data' must be an object",
       "unmarshal_error"},
      {"{\"request_type\":\"list\"}garbage", 500, "not valid JSON at byte", "unmarshal_error"},
      {"\"\xff\"", 500, "not valid JSON", "unmarshal_error"},
      {"{}", 400,
       "invalid 'request_type' param, can be set [create delete pause resume get list position "
       "maintenance]",
       "fail"},
      {"{\"request_type\":\"crate\"}", 400, "did you mean 'create'?", "fail"},
      {"{\"request_type\":\"list\",\"request_dat\":{}}", 400,
       "unknown key 'request_dat'; did you mean 'request_data'?", "fail"},
  };
  for (const auto& c : cases) {
    const RequestFailure failure = FailureOf(ParseRequest(c.body, Limits()));
    EXPECT_EQ(failure.code, c.code) << c.body;
    EXPECT_THAT(failure.message, HasSubstr(c.message)) << c.body;
    EXPECT_EQ(failure.status, c.status) << c.body;
  }
}

TEST(RequestTest, InputThatCouldBreakAParserIsOnlyRefused) {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_THAT(FailureOf(ParseRequest(deep, Limits())).message, HasSubstr("nested too deeply"));
  const std::string bodies[] = {
      deep,
      "{\"request_type\":\"create\",\"request_data\":{\"collection_infos\":" + deep + "}}",
      objects + "1" + std::string(100'000, '}'),
      "{\"request_type\":\"" + std::string(1 << 20, 'x') + "\"}",
      "{\"request_type\":\"get\",\"request_data\":{\"" + std::string(1 << 20, 'x') + "\":1}}",
      "{\"request_type\":\"create\",\"request_data\":{\"milvus_connect_param\":{\"port\":1e999}}}",
  };
  for (const std::string& body : bodies) {
    const RequestFailure failure = FailureOf(ParseRequest(body, Limits()));
    EXPECT_NE(failure.code, 0);
    EXPECT_LT(failure.message.size(), 2000u);
  }
}

TEST(RequestTest, SmallRequests) {
  auto parsed = Parse("delete", {{"task_id", "t"}, {"ignore_not_found", true}});
  ASSERT_TRUE(std::holds_alternative<CdcRequest>(parsed));
  EXPECT_EQ(std::get<CdcRequest>(parsed).type, RequestType::kDelete);
  EXPECT_EQ(std::get<CdcRequest>(parsed).task_id, "t");
  EXPECT_TRUE(std::get<CdcRequest>(parsed).ignore_not_found);
  for (const char* type : {"pause", "resume", "get", "position"}) {
    parsed = Parse(type, {{"TASK_ID", "t"}});  // keys without regard to case
    ASSERT_TRUE(std::holds_alternative<CdcRequest>(parsed)) << type;
    EXPECT_EQ(ToString(std::get<CdcRequest>(parsed).type), std::string(type));
    EXPECT_EQ(std::get<CdcRequest>(parsed).task_id, "t");
  }
  parsed =
      Parse("maintenance", {{"operation", "set_log_level"}, {"params", {{"log_level", "warn"}}}});
  ASSERT_TRUE(std::holds_alternative<CdcRequest>(parsed));
  EXPECT_EQ(std::get<CdcRequest>(parsed).params, R"({"log_level":"warn"})");
  EXPECT_TRUE(
      std::holds_alternative<CdcRequest>(ParseRequest("{\"request_type\":\"list\"}", Limits())));
  EXPECT_TRUE(std::holds_alternative<CdcRequest>(
      ParseRequest("{\"request_type\":\"list\",\"request_data\":null}", Limits())));
}

TEST(RequestTest, SmallRequestMistakes) {
  EXPECT_EQ(FailureOf(Parse("get", json::object())).message,
            "fail to handle the get request, error: task_id is empty");
  const RequestFailure type = FailureOf(Parse("pause", {{"task_id", 5}}));
  EXPECT_EQ(type.code, 500);
  EXPECT_EQ(type.message, "fail to decode the pause request, error: 'task_id' must be a text");
  const RequestFailure key = FailureOf(Parse("delete", {{"taskid", "t"}}));
  EXPECT_EQ(key.code, 400);
  EXPECT_EQ(key.message,
            "fail to handle the delete request, error: unknown key 'taskid'; did you mean "
            "'task_id'?");
}

TEST(CreateRequestTest, Minimal) {
  const TaskSpec spec = Create(json::object());
  EXPECT_EQ(spec.id, "");
  EXPECT_EQ(spec.mode, TargetMode::kAuto);
  EXPECT_EQ(spec.target.host, "target");
  EXPECT_EQ(spec.target.port, 19530);
  EXPECT_FALSE(spec.target.tls);
  EXPECT_EQ(spec.target.token, "");
  EXPECT_EQ(spec.target.connect_timeout_seconds, 5);
  EXPECT_THAT(spec.selection.includes, ElementsAre(NamePattern{"default", "a"}));
  EXPECT_THAT(spec.selection.excludes, IsEmpty());
  EXPECT_FALSE(spec.adopt);
  EXPECT_EQ(spec.load, LoadPolicy::kFollow);
  EXPECT_EQ(spec.drops, DropPolicy::kReplicate);
}

TEST(CreateRequestTest, EveryField) {
  const TaskSpec spec = Create({
      {"milvus_connect_param",
       {{"uri", "https://target:443"},
        {"username", "root"},
        {"password", "sesame"},
        {"channel_num", 16},
        {"connect_timeout", 9.0},
        {"mode", "api"},
        {"dial_config", {{"server_name", "milvus.test"}}}}},
      {"collection_infos", Infos({"a", "b_*"})},
      {"db_collections", {{"d1", Infos({"x"})}, {"d*", Infos({"*"})}}},
      {"exclude_collections", {"default.b_tmp*", "*.secret"}},
      {"name_mapping",
       {{{"source_db", "default"}, {"target_db", "copy"}, {"collection_mapping", {{"a", "a2"}}}},
        {{"source_db", "d1"}, {"target_db", "e1"}}}},
      {"rpc_channel_info", {{"name", "src-replicate-msg"}}},
      {"extra_info", {{"enable_user_role", false}}},
      {"buffer_config", {{"period", 10}, {"size", 10}}},
      {"positions", {{"x", "y"}}},
      {"disable_auto_start", true},
      {"task_id", "my-task"},
      {"adopt", true},
      {"load", "never"},
      {"drops", "hold"},
  });
  EXPECT_EQ(spec.id, "my-task");
  EXPECT_EQ(spec.mode, TargetMode::kApi);
  EXPECT_EQ(spec.target.port, 443);
  EXPECT_TRUE(spec.target.tls);
  EXPECT_EQ(spec.target.server_name, "milvus.test");
  EXPECT_EQ(spec.target.token, "root:sesame");
  EXPECT_EQ(spec.target.connect_timeout_seconds, 9);
  EXPECT_THAT(spec.selection.includes,
              ElementsAre(NamePattern{"default", "a"}, NamePattern{"default", "b_*"},
                          NamePattern{"d*", "*"}, NamePattern{"d1", "x"}));
  EXPECT_THAT(spec.selection.excludes,
              ElementsAre(NamePattern{"default", "b_tmp*"}, NamePattern{"*", "secret"}));
  EXPECT_EQ(spec.selection.Map("default", "a"), (TargetName{"copy", "a2"}));
  EXPECT_EQ(spec.selection.Map("d1", "x"), (TargetName{"e1", "x"}));
  EXPECT_TRUE(spec.disable_auto_start);
  EXPECT_TRUE(spec.adopt);
  EXPECT_EQ(spec.load, LoadPolicy::kNever);
  EXPECT_EQ(spec.drops, DropPolicy::kHold);

  const json echo = json::parse(spec.request_json);
  EXPECT_EQ(echo["milvus_connect_param"]["uri"], "https://target:443");
  EXPECT_EQ(echo["milvus_connect_param"]["connect_timeout"], 9);
  EXPECT_EQ(echo["milvus_connect_param"]["dial_config"], (json{{"server_name", "milvus.test"}}));
  EXPECT_EQ(echo["collection_infos"][1]["name"], "b_*");
  EXPECT_EQ(echo["db_collections"]["d1"][0]["name"], "x");
  EXPECT_EQ(echo["name_mapping"][0]["collection_mapping"]["a"], "a2");
  for (const char* secret : {"sesame", "root"}) {
    EXPECT_EQ(spec.request_json.find(secret), std::string::npos);
  }
}

TEST(CreateRequestTest, ARequestDoesNotWaitForEver) {
  const TaskSpec spec = Create({{"milvus_connect_param", {{"connect_timeout", 2147483647}}}});
  EXPECT_EQ(spec.target.connect_timeout_seconds, 60);
  EXPECT_EQ(json::parse(spec.request_json)["milvus_connect_param"]["connect_timeout"], 2147483647);
}

TEST(CreateRequestTest, HostAndPortAndToken) {
  const TaskSpec spec = Create({{"milvus_connect_param",
                                 {{"uri", nullptr},
                                  {"host", "h"},
                                  {"port", 19531},
                                  {"enable_tls", true},
                                  {"username", "u"},
                                  {"password", "p"},
                                  {"token", "key"}}}});
  EXPECT_EQ(spec.target.host, "h");
  EXPECT_EQ(spec.target.port, 19531);
  EXPECT_TRUE(spec.target.tls);
  EXPECT_EQ(spec.target.token, "key");  // before username and password
  EXPECT_EQ(spec.request_json.find("key\""), std::string::npos);
}

TEST(CreateRequestTest, Uris) {
  const struct {
    const char* uri;
    const char* host;  // empty: refused
    int port;
    bool tls;
  } cases[] = {
      {"http://h:1", "h", 1, false},         {"https://h:2", "h", 2, true},
      {"http://h", "h", 19530, false},       {"https://h", "h", 443, true},
      {"http://h:1/", "h", 1, false},        {"h:3", "h", 3, false},
      {"tcp://h:3", "h", 3, false},          {"http://[::1]:4", "::1", 4, false},
      {"http://h:0", "", 0, false},          {"http://h:70000", "", 0, false},
      {"http://h:1x", "", 0, false},         {"http://h:", "", 0, false},
      {"http://:1", "", 0, false},           {"http://", "", 0, false},
      {"ftp://h:1", "", 0, false},           {"http://h:1/db", "", 0, false},
      {"http://[::1", "", 0, false},         {"http://[::1]4", "", 0, false},
      {"http://u:sesame@h:1", "", 0, false},
  };
  for (const auto& c : cases) {
    const json patch = {{"milvus_connect_param", {{"uri", c.uri}}}};
    if (*c.host == 0) {
      const RequestFailure failure = CreateFailure(patch);
      EXPECT_EQ(failure.code, 400) << c.uri;
      EXPECT_EQ(failure.message.find("sesame"), std::string::npos);
      continue;
    }
    const TaskSpec spec = Create(patch);
    EXPECT_EQ(spec.target.host, c.host) << c.uri;
    EXPECT_EQ(spec.target.port, c.port) << c.uri;
    EXPECT_EQ(spec.target.tls, c.tls) << c.uri;
  }
}

TEST(CreateRequestTest, TlsFiles) {
  const std::string pem = testing::TempDir() + "cdc_request_test.pem";
  std::ofstream(pem) << "x";
  const auto dial = [](const json& config) {
    return json{{"milvus_connect_param", {{"dial_config", config}}}};
  };
  TaskSpec spec = Create(dial({{"server_pem_path", pem}, {"server_name", "n"}}));
  EXPECT_TRUE(spec.target.tls);
  EXPECT_EQ(spec.target.ca_pem_path, pem);
  EXPECT_EQ(spec.target.server_name, "n");
  spec = Create(dial({{"ca_pem_path", pem}, {"client_pem_path", pem}, {"client_key_path", pem}}));
  EXPECT_TRUE(spec.target.tls);
  EXPECT_EQ(spec.target.client_key_path, pem);
  EXPECT_THAT(CreateFailure(dial({{"ca_pem_path", pem}})).message, HasSubstr("together"));
  EXPECT_THAT(CreateFailure(dial({{"server_pem_path", pem},
                                  {"ca_pem_path", pem},
                                  {"client_pem_path", pem},
                                  {"client_key_path", pem}}))
                  .message,
              HasSubstr("either"));
  EXPECT_THAT(CreateFailure(dial({{"server_pem_path", "/nowhere.pem"}})).message,
              HasSubstr("cannot read /nowhere.pem"));
  std::remove(pem.c_str());
}

TEST(CreateRequestTest, Blackhole) {
  const TaskSpec spec =
      Create({{"milvus_connect_param", nullptr}, {"blackhole_connect_param", json::object()}});
  EXPECT_EQ(spec.mode, TargetMode::kBlackhole);
  EXPECT_TRUE(json::parse(spec.request_json).contains("blackhole_connect_param"));
  EXPECT_THAT(CreateFailure({{"blackhole_connect_param", json::object()}}).message,
              HasSubstr("stands alone"));
}

// Every rule and its message, exactly as the user sees it.
TEST(CreateRequestTest, Refusals) {
  const std::string long_name(21, 'x');
  const json kafka = {{"address", "k:9092"}, {"topic", "t"}};
  const struct {
    json patch;
    std::string message;
  } cases[] = {
      {{{"milvus_connect_param", nullptr}}, "the downstream address is empty"},
      {{{"milvus_connect_param", {{"uri", ""}}}}, "the downstream address is empty"},
      {{{"kafka_connect_param", kafka}}, "don't support milvus and kafka at the same time now"},
      {{{"milvus_connect_param", {{"uri", ""}, {"port", 1}}}}, "the milvus host is empty"},
      {{{"milvus_connect_param", {{"uri", ""}, {"host", "h"}}}},
       "the milvus port is less or equal zero"},
      {{{"milvus_connect_param", {{"uri", ""}, {"host", "h"}, {"port", -1}}}},
       "the milvus port is less or equal zero"},
      {{{"milvus_connect_param", {{"uri", ""}, {"host", "h"}, {"port", 65536}}}},
       "the milvus port is larger than 65535"},
      {{{"milvus_connect_param", {{"username", "u"}}}},
       "cannot set only one of the milvus username and password"},
      {{{"milvus_connect_param", {{"password", "p"}}}},
       "cannot set only one of the milvus username and password"},
      {{{"milvus_connect_param", {{"connect_timeout", -1}}}},
       "the milvus connect timeout is less zero"},
      {{{"milvus_connect_param", {{"mode", "fast"}}}},
       "mode 'fast' is unknown; use auto, replicate or api"},
      {{{"milvus_connect_param", {{"mode", "blackhole"}}}},
       "mode 'blackhole' is not a mode of a Milvus; use blackhole_connect_param"},
      {{{"milvus_connect_param", nullptr}, {"kafka_connect_param", {{"address", "k"}}}},
       "the kafka topic is empty"},
      {{{"milvus_connect_param", nullptr}, {"kafka_connect_param", kafka}},
       "kafka as a target is not supported yet; use milvus_connect_param"},
      {{{"buffer_config", {{"period", -1}}}}, "the cache period is less zero"},
      {{{"buffer_config", {{"size", -1}}}}, "the cache size is less zero"},
      {{{"collection_infos", nullptr}}, "the collection info is empty"},
      {{{"collection_infos", json::array()}}, "the collection info is empty"},
      {{{"db_collections", {{long_name, Infos({"a"})}}}},
       "the db name length exceeds 20 characters, " + long_name},
      {{{"db_collections", {{"d", json::array()}}}}, "empty collection info"},
      {{{"db_collections", {{"", Infos({"a"})}}}}, "there is a db name that is empty"},
      {{{"collection_infos", Infos({""})}}, "there is a collection name that is empty. "},
      {{{"collection_infos", {json::object()}}}, "there is a collection name that is empty. "},
      {{{"collection_infos", Infos({long_name.c_str(), "a", (long_name + "y").c_str()})}},
       "there are some collection names whose length exceeds 20 characters, [" + long_name + " " +
           long_name + "y]"},
      {{{"collection_infos", Infos({"", long_name.c_str()})}},
       "there is a collection name that is empty. there are some collection names whose length "
       "exceeds 20 characters, [" +
           long_name + "]"},
      {{{"collection_infos", Infos({"a", "a"})}}, "the collection default.a is given twice"},
      {{{"collection_infos", Infos({"a.b"})}},
       "the collection name 'a.b' holds a character that Milvus does not allow in names"},
      {{{"db_collections", {{"a b", Infos({"a"})}}}},
       "the database name 'a b' holds a character that Milvus does not allow in names"},
      {{{"collection_infos", {{{"name", "a"}, {"positions", {{"by dev", "x"}}}}}}},
       "the position channel name is not virtual channel, by dev"},
      {{{"collection_infos",
         {{{"name", "a"}, {"positions", {{"dml_0_1v0", "x"}, {"dml_1_2v1", "x"}}}}}}},
       "the channel position info should be in the same collection"},
      {{{"collection_infos",
         {{{"name", "a"}, {"positions", {{"dml_0_1v0", Position("dml_1", "id")}}}}}}},
       "the position of channel dml_0_1v0 is one of another channel, dml_1"},
      {{{"collection_infos",
         {{{"name", "a"}, {"positions", {{"dml_0", Position("dml_0_1v0", "")}}}}}}},
       "the position of channel dml_0 names neither a message nor a time; leave it out to begin "
       "with what is written from now on, or say use_start_position"},
      {{{"rpc_channel_info", {{"name", "other"}}}},
       "the rpc channel is invalid, the channel name should be the same as the source config"},
      {{{"rpc_channel_info", {{"position", Position("src-replicate-msg2", "id")}}}},
       "the position in rpc_channel_info is one of another channel, src-replicate-msg2"},
      {{{"extra_info", {{"enable_user_role", true}}},
        {"milvus_connect_param", nullptr},
        {"blackhole_connect_param", json::object()}},
       "extra_info.enable_user_role needs a Milvus as target"},
      {{{"exclude_collections", {"a"}}},
       "exclude_collections: 'a' is not 'db.collection', such as 'default.tmp_*'"},
      {{{"exclude_collections", {"a.b.c"}}},
       "exclude_collections: 'a.b.c' is not 'db.collection', such as 'default.tmp_*'"},
      {{{"exclude_collections", {"*.*"}}},
       "exclude_collections: '*.*' excludes all of the selected 'default.a'"},
      {{{"name_mapping", {{{"source_db", "default"}}}}},
       "name_mapping: source_db and target_db must both be given"},
      {{{"name_mapping", {{{"source_db", "*"}, {"target_db", "x"}}}}},
       "name_mapping: '*' must be a name without '*'"},
      {{{"name_mapping", {{{"source_db", "other"}, {"target_db", "x"}}}}},
       "the collection name in the name mapping is not in the collection info, checkout it"},
      {{{"name_mapping",
         {{{"source_db", "default"}, {"target_db", "x"}, {"collection_mapping", {{"b", "c"}}}}}}},
       "the collection name in the name mapping is not in the collection info, checkout it"},
      {{{"name_mapping",
         {{{"source_db", "default"}, {"target_db", "x"}, {"collection_mapping", {{"a", ""}}}}}}},
       "name_mapping: 'a' to '' must be two names without '*'"},
      {{{"collection_infos", Infos({"a", "b"})},
        {"name_mapping",
         {{{"source_db", "default"},
           {"target_db", "x"},
           {"collection_mapping", {{"a", "c"}, {"b", "c"}}}}}}},
       "name_mapping: two collections are mapped to x.c"},
      {{{"collection_infos", Infos({"a", "b"})},
        {"name_mapping",
         {{{"source_db", "default"},
           {"target_db", "default"},
           {"collection_mapping", {{"a", "b"}}}}}}},
       "name_mapping: default.b and another collection would both become default.b"},
      {{{"name_mapping",
         {{{"source_db", "default"}, {"target_db", "x"}},
          {{"source_db", "default"}, {"target_db", "y"}}}}},
       "name_mapping: default.* is mapped twice"},
      {{{"task_id", "a b"}},
       "the task_id must be at most 128 characters without blanks and slashes"},
      {{{"load", "always"}}, "'load' is 'always'; use one of: follow, once, never"},
      {{{"drops", "no"}}, "'drops' is 'no'; use one of: replicate, hold"},
      {{{"colection_infos", json::array()}},
       "unknown key 'colection_infos'; did you mean 'collection_infos'?"},
      {{{"milvus_connect_param", {{"user", "u"}}}},
       "unknown key 'milvus_connect_param.user'; did you mean 'username'?"},
      {{{"collection_infos", {{{"name", "a"}, {"nmae", "b"}}}}},
       "unknown key 'collection_infos[0].nmae'; did you mean 'name'?"},
  };
  for (const auto& c : cases) {
    const RequestFailure failure = CreateFailure(c.patch);
    EXPECT_EQ(failure.message, "fail to handle the create request, error: " + c.message);
    EXPECT_EQ(failure.code, 400) << c.message;
    EXPECT_EQ(failure.type, "create");
    EXPECT_EQ(failure.status, "fail");
  }
}

TEST(CreateRequestTest, WhereItBegins) {
  const TaskSpec spec = Create({
      {"collection_infos",
       {{{"name", "a"},
         {"positions",
          {{"dml_0_1v0", Position("dml_0", "id0", 300)},
           {"dml_1_1v1", Position("dml_1_1v1", "id1")},
           {"dml_2", Position("", "", 5)}}}},
        {{"name", "b"}, {"use_start_position", true}}}},
      {"db_collections",
       {{"d",
         {{{"name", "*"},
           {"positions",
            {{"dml_0_1v0", Position("dml_0_1v0", "id2")}, {"dml_0_2v0", Position("", "id3")}}},
           {"use_start_position", true}}}}}},
      {"rpc_channel_info", {{"position", Position("src-replicate-msg_taskv0", "id4")}}},
  });
  std::vector<std::string> positions;
  for (const StartRequest::Position& p : spec.start_request.positions) {
    positions.push_back(p.of.database + "." + p.of.collection + " " + p.channel + " '" +
                        p.message_id + "' " + std::to_string(p.after_ts));
  }
  EXPECT_THAT(positions, ElementsAre("default.a dml_0_1v0 'id0' 300", "default.a dml_1_1v1 'id1' 0",
                                     "default.a dml_2 '' 5", "d.* dml_0_1v0 'id2' 0",
                                     "d.* dml_0_2v0 'id3' 0"));
  EXPECT_THAT(spec.start_request.from_creation,
              ElementsAre(NamePattern{"default", "b"}, NamePattern{"d", "*"}));
  EXPECT_EQ(spec.start_request.operations, "id4");
  EXPECT_EQ(json::parse(spec.request_json)["collection_infos"][0]["positions"]["dml_2"],
            Position("", "", 5));
}

TEST(CreateRequestTest, WithoutAWordItBeginsNow) {
  const TaskSpec spec = Create(json::object());
  EXPECT_THAT(spec.start_request.positions, IsEmpty());
  EXPECT_THAT(spec.start_request.from_creation, IsEmpty());
  EXPECT_FALSE(spec.start_request.operations);
  // A position that names no message: the operation topic was empty then.
  EXPECT_EQ(Create({{"rpc_channel_info", {{"position", Position("src-replicate-msg", "")}}}})
                .start_request.operations,
            "");
}

// The code is that of the existing Milvus-CDC, although it is the request that is wrong.
TEST(CreateRequestTest, PositionsThatAreNone) {
  const struct {
    json patch;
    const char* message;
  } cases[] = {
      {{{"collection_infos", {{{"name", "*"}, {"positions", {{"ch_0_1v0", "x"}}}}}}},
       "fail to decode the position data: that of channel ch_0_1v0: it is not base64"},
      {{{"collection_infos", {{{"name", "a"}, {"positions", {{"ch_0", ""}}}}}}},
       "fail to decode the position data: that of channel ch_0: it is empty"},
      {{{"rpc_channel_info", {{"position", "/////w=="}}}},
       "fail to decode the rpc position data: it is not a MsgPosition of Milvus"},
  };
  for (const auto& c : cases) {
    const RequestFailure failure = CreateFailure(c.patch);
    EXPECT_EQ(failure.message,
              std::string("fail to handle the create request, error: ") + c.message);
    EXPECT_EQ(failure.code, 500) << c.message;
    EXPECT_EQ(failure.http_status, 400) << c.message;
    json data = Base();
    data.merge_patch(c.patch);
    const Result<TaskSpec> v1 = ParseTaskRequest(data.dump(), Limits());
    ASSERT_FALSE(v1.ok());
    EXPECT_EQ(v1.error().kind, ErrorKind::kInvalid) << c.message;
  }
}

TEST(CreateRequestTest, SwappedNamesAreNoClash) {
  const TaskSpec spec = Create({{"collection_infos", Infos({"a", "b"})},
                                {"name_mapping",
                                 {{{"source_db", "default"},
                                   {"target_db", "default"},
                                   {"collection_mapping", {{"a", "b"}, {"b", "a"}}}}}}});
  EXPECT_EQ(spec.selection.Map("default", "a").collection, "b");
}

TEST(CreateRequestTest, WrongTypes) {
  const struct {
    json patch;
    const char* message;
  } cases[] = {
      {{{"milvus_connect_param", "x"}}, "'milvus_connect_param' must be an object"},
      {{{"milvus_connect_param", {{"port", "19530"}}}},
       "'milvus_connect_param.port' must be a whole number"},
      {{{"milvus_connect_param", {{"port", 1.5}}}},
       "'milvus_connect_param.port' must be a whole number"},
      {{{"milvus_connect_param", {{"port", 99999999999}}}},
       "'milvus_connect_param.port' must be a whole number"},
      {{{"milvus_connect_param", {{"enable_tls", 1}}}},
       "'milvus_connect_param.enable_tls' must be true or false"},
      {{{"milvus_connect_param", {{"password", 5}}}},
       "'milvus_connect_param.password' must be a text"},
      {{{"collection_infos", "a"}}, "'collection_infos' must be a list"},
      {{{"collection_infos", {"a"}}}, "'collection_infos[0]' must be an object"},
      {{{"collection_infos", {{{"name", "a"}, {"positions", {{"c", 1}}}}}}},
       "'collection_infos[0].positions' must be an object of texts"},
      {{{"db_collections", {{"d", "a"}}}}, "'db_collections.d' must be a list"},
      {{{"db_collections", json::array()}}, "'db_collections' must be an object"},
      {{{"exclude_collections", {1}}}, "'exclude_collections' must be a list of texts"},
      {{{"adopt", "yes"}}, "'adopt' must be true or false"},
      {{{"task_id", 7}}, "'task_id' must be a text"},
  };
  for (const auto& c : cases) {
    const RequestFailure failure = CreateFailure(c.patch);
    EXPECT_EQ(failure.message,
              std::string("fail to decode the create request, error: ") + c.message);
    EXPECT_EQ(failure.code, 500) << c.message;
  }
}

TEST(CreateRequestTest, NoMessageRepeatsASecret) {
  const json patches[] = {
      {{"milvus_connect_param", {{"username", "u"}, {"password", "sesame"}, {"mode", "x"}}}},
      {{"milvus_connect_param", {{"token", "sesame"}, {"port", "x"}}}},
      {{"milvus_connect_param", {{"token", {{"sesame", 1}}}}}},
      {{"milvus_connect_param", {{"tokn", "sesame"}}}},
      {{"kafka_connect_param", {{"address", "k"}, {"sasl", {{"password", "sesame"}}}}}},
  };
  for (const json& patch : patches) {
    const RequestFailure failure = CreateFailure(patch);
    EXPECT_NE(failure.code, 0) << patch;
    EXPECT_EQ(failure.message.find("sesame"), std::string::npos) << failure.message;
  }
  const std::string cut =
      R"({"request_type":"create","request_data":{"milvus_connect_param":{"password":"sesame" x)";
  EXPECT_EQ(FailureOf(ParseRequest(cut, Limits())).message.find("sesame"), std::string::npos);
}

TEST(HandlingFailureTest, Codes) {
  EXPECT_EQ(HandlingFailure(RequestType::kPause, InvalidError("x")).code, 400);
  EXPECT_EQ(HandlingFailure(RequestType::kPause, FatalError("x", ErrorKind::kNotStandby)).code,
            400);
  EXPECT_EQ(HandlingFailure(RequestType::kPause, RetryError("x", ErrorKind::kUnavailable)).code,
            500);
  EXPECT_EQ(HandlingFailure(RequestType::kPause, FatalError("x")).message,
            "fail to handle the pause request, error: x");
}

}  // namespace
}  // namespace cdc
