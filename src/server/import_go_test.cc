// Records as the existing Milvus-CDC writes them: Go's names for the members of its own types, the
// names of requests inside, message ids as base64 of their bytes.
#include "server/import_go.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "base/base64.h"
#include "client/milvus/message_codec.h"
#include "client/pulsar/pulsar_id.h"
#include "server/open_store.h"
#include "server/target_identity.h"

namespace cdc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

constexpr int64_t kNow = 1'700'000'000'000;
const Timestamp kFence = ComposeTimestamp(kNow + 1000);

std::string Task(const std::string& id, const std::string& changes = "") {
  return R"({"TaskID":")" + id + R"(",
    "MilvusConnectParam":{"host":"","port":0,"enable_tls":false,"ignore_partition":false,
      "uri":"https://10.1.1.1:19530","token":"root:sesame",
      "dial_config":{"server_name":"","server_pem_path":""},"channel_num":16,"connect_timeout":10},
    "KafkaConnectParam":{"address":"","topic":"","enable_sasl":false,"sasl":{}},
    "WriterCacheConfig":{"period":0,"size":0},
    "CollectionInfos":null,
    "DBCollections":{"default":[{"name":"*"}]},
    "NameMapping":null,
    "RPCRequestChannelInfo":{"name":"","position":""},
    "ExtraInfo":{"enable_user_role":false},
    "ExcludeCollections":null,
    "DisableAutoStart":false,"State":1,"Reason":"")" +
         (changes.empty() ? "" : "," + changes) + "}";
}

std::string Position(const std::string& channel, uint64_t id, int64_t time_ms) {
  return "\"" + channel + R"(":{"StartTime":0,"Time":)" + std::to_string(time_ms) +
         R"(,"DataPair":{"key":")" + channel + R"(","data":")" + Base64(EncodeNumericId({0, id})) +
         R"("},"Dropped":false})";
}

std::string Record(const std::string& task, int64_t collection, const std::string& positions,
                   const std::string& targets = "") {
  return R"({"TaskID":")" + task + R"(","CollectionID":)" + std::to_string(collection) +
         R"(,"CollectionName":"c","Positions":{)" + positions +
         R"(},"OpPositions":{},"TargetPositions":{)" + targets + "}}";
}

GoImportOptions Options() {
  GoImportOptions options;
  options.now_ms = kNow;
  options.identity = [](const TaskSpec& spec) { return "milvus/" + spec.target.host; };
  return options;
}

ImportedTask One(const GoRecords& records, const GoImportOptions& options = Options()) {
  GoImport import = TranslateGoRecords(records, options);
  EXPECT_THAT(import.refused, IsEmpty());
  EXPECT_EQ(import.tasks.size(), 1u);
  return import.tasks.empty() ? ImportedTask{} : std::move(import.tasks[0]);
}

TEST(ImportGo, TaskAsItWas) {
  const ImportedTask imported = One({{Task("t1")}, {}});
  const StoredTask& task = imported.task;
  EXPECT_EQ(task.spec.id, "t1");
  EXPECT_EQ(task.spec.mode, TargetMode::kReplicate);
  EXPECT_EQ(task.spec.target.host, "10.1.1.1");
  EXPECT_EQ(task.spec.target.port, 19530);
  EXPECT_TRUE(task.spec.target.tls);
  EXPECT_EQ(task.spec.target.token, "root:sesame");
  EXPECT_EQ(task.spec.target.connect_timeout_seconds, 10);
  EXPECT_THAT(task.spec.selection.includes, ElementsAre(NamePattern{"default", "*"}));
  EXPECT_TRUE(task.spec.adopt);  // what is there on the target is what it made
  EXPECT_EQ(task.state, TaskState::kRunning);
  EXPECT_THAT(task.spec.request_json, Not(HasSubstr("sesame")));
}

TEST(ImportGo, SelectionMappingsAndState) {
  const ImportedTask imported =
      One({{Task("t", R"("DBCollections":{"*":[{"name":"*","positions":{"x":"y"}}]},
            "NameMapping":[{"source_db":"a","target_db":"b","collection_mapping":{"c":"d"}}],
            "ExcludeCollections":["default.own"],"DisableAutoStart":true,
            "State":2,"Reason":"manually pause through http interface")")},
           {}});
  const Selection& selection = imported.task.spec.selection;
  EXPECT_THAT(selection.includes, ElementsAre(NamePattern{"*", "*"}));
  EXPECT_THAT(selection.excludes, ElementsAre(NamePattern{"default", "own"}));
  EXPECT_EQ(selection.Map("a", "c"), (TargetName{"b", "d"}));
  EXPECT_TRUE(imported.task.spec.disable_auto_start);
  EXPECT_EQ(imported.task.state, TaskState::kPaused);
  EXPECT_EQ(imported.task.reason, "manually pause through http interface");
}

// Collections stand at different places of one channel; the channel is read once.
TEST(ImportGo, EachChannelGoesOnAtItsLowestPosition) {
  const ImportedTask imported = One(
      {{Task("t")},
       {Record("t", 449, Position("dml_0", 700, kNow - 9) + "," + Position("dml_1", 80, kNow - 8),
               Position("target_3", 5, kNow - 7)),
        Record("t", 450, Position("dml_0", 600, kNow - 5), Position("target_4", 6, kNow - 7)),
        Record("t", -10, Position("by-dev-replicate-msg", 33, kNow)),
        Record("another", 451, Position("dml_0", 1, 1))}});
  EXPECT_THAT(
      imported.first.channels,
      ElementsAre(ChannelCheckpoint{"dml_0", {LogPosition::Kind::kAt, {0, 600}}, 0, kFence},
                  ChannelCheckpoint{"dml_1", {LogPosition::Kind::kAt, {0, 80}}, 0, kFence}));
  EXPECT_EQ(imported.first.task, "t");
  EXPECT_EQ(imported.first.operations, (LogPosition{LogPosition::Kind::kAfter, {0, 33}}));
  // Nothing is stamped below what the existing one has sent.
  EXPECT_EQ(imported.first.target, "milvus/10.1.1.1");
  EXPECT_EQ(imported.task.spec.start.made_ts, kFence);
  EXPECT_THAT(imported.notes, IsEmpty());
}

TEST(ImportGo, AClockThatIsAheadMovesTheFence) {
  const ImportedTask imported =
      One({{Task("t")}, {Record("t", 449, Position("dml_0", 1, kNow + 50'000))}});
  EXPECT_EQ(imported.first.channels.at(0).fence, ComposeTimestamp(kNow + 51'000));
}

TEST(ImportGo, DroppedCollectionsHoldNothingBack) {
  std::string dropped = Record("t", 1, Position("dml_0", 5, kNow));
  dropped.replace(dropped.find("\"Dropped\":false"), 15, "\"Dropped\":true ");
  const ImportedTask imported =
      One({{Task("t")}, {dropped, Record("t", 2, Position("dml_0", 9, kNow))}});
  ASSERT_EQ(imported.first.channels.size(), 1u);
  EXPECT_EQ(imported.first.channels[0].seek.id.minor, 9u);
}

TEST(ImportGo, PulsarIds) {
  GoImportOptions options = Options();
  options.log = LogKind::kPulsar;
  std::string record = Record("t", 1, Position("dml_0", 0, kNow));
  const std::string numeric = Base64(EncodeNumericId({0, 0}));
  record.replace(record.find(numeric), numeric.size(), Base64(EncodePulsarId({12, 34})));
  const ImportedTask imported = One({{Task("t")}, {record}}, options);
  EXPECT_EQ(imported.first.channels.at(0).seek, (LogPosition{LogPosition::Kind::kAt, {12, 34}}));
}

TEST(ImportGo, ChannelsWithoutAPositionAreReadFromTheBeginning) {
  GoImportOptions options = Options();
  options.channels = [](const Selection& selection) -> Result<std::set<std::string>> {
    EXPECT_THAT(selection.includes, ElementsAre(NamePattern{"default", "*"}));
    return std::set<std::string>{"dml_0", "dml_1"};
  };
  const ImportedTask imported =
      One({{Task("t")}, {Record("t", 1, Position("dml_1", 4, kNow))}}, options);
  ASSERT_EQ(imported.first.channels.size(), 2u);
  EXPECT_EQ(imported.first.channels[1], (ChannelCheckpoint{"dml_0", LogPosition{}, 0, kFence}));
  ASSERT_EQ(imported.notes.size(), 2u);
  EXPECT_THAT(imported.notes[0], HasSubstr("channel dml_0"));
  EXPECT_THAT(imported.notes[1], HasSubstr("operation topic"));
}

TEST(ImportGo, PartitionsStayIgnored) {
  std::string task = Task("t");
  const std::string ignored = "\"ignore_partition\":";
  task.replace(task.find(ignored + "false"), ignored.size() + 5, ignored + "true");
  const ImportedTask imported = One({{task}, {Record("t", -10, Position("rpc", 1, kNow))}});
  EXPECT_THAT(imported.notes, IsEmpty());
  EXPECT_TRUE(imported.task.spec.ignore_partitions);
  EXPECT_FALSE(imported.task.spec.enable_user_role);
}

TEST(ImportGo, UsersAndRolesGoOn) {
  const ImportedTask imported = One({{Task("t", R"("ExtraInfo":{"enable_user_role":true})")}, {}});
  EXPECT_TRUE(imported.task.spec.enable_user_role);
}

TEST(ImportGo, OnlyTheNamedOnes) {
  GoImport import = TranslateGoRecords({{Task("a"), Task("b"), "no JSON"}, {}}, Options());
  ChooseTasks({"b", "c"}, &import);
  ASSERT_EQ(import.tasks.size(), 1u);
  EXPECT_EQ(import.tasks[0].task.spec.id, "b");
  EXPECT_THAT(import.refused, ElementsAre(Pair("c", HasSubstr("no such task"))));
}

class ImportIntoStoreTest : public testing::Test {
 protected:
  ImportIntoStoreTest() {
    std::filesystem::remove_all(folder_);
    MetaStoreConfig config;
    config.sqlite_path = folder_ / "cdc.db";
    Result<std::unique_ptr<Store>> store = OpenStore(config, {});
    if (!store.ok()) throw std::runtime_error(store.error().message);
    store_ = *std::move(store);
  }
  ~ImportIntoStoreTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  GoImport Add(const std::vector<std::string>& tasks) {
    GoImportOptions options = Options();
    options.identity = IdentityOf;
    GoImport import =
        TranslateGoRecords({tasks, {Record("a", 449, Position("dml_0", 700, kNow))}}, options);
    const Status added = AddToStore(&import, store_.get());
    EXPECT_TRUE(added.ok()) << added.error().message;
    return import;
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("import_go_test." + std::to_string(getpid()));
  std::unique_ptr<Store> store_;
};

TEST_F(ImportIntoStoreTest, TasksComeWithTheirPositions) {
  const GoImport import = Add({Task("a")});
  EXPECT_THAT(import.refused, IsEmpty());
  EXPECT_EQ(import.tasks.size(), 1u);
  EXPECT_EQ(store_->LoadTask("a")->state, TaskState::kRunning);
  const Result<TaskProgress> progress = store_->LoadProgress("a");
  ASSERT_TRUE(progress.ok());
  EXPECT_EQ(progress->channels.at("dml_0").seek, (LogPosition{LogPosition::Kind::kAt, {0, 700}}));
}

TEST_F(ImportIntoStoreTest, WhatIsThereStaysAsItIs) {
  (void)Add({Task("a")});
  ASSERT_TRUE(store_->UpdateState("a", TaskState::kPaused, "by hand").ok());
  const GoImport import = Add({Task("a"), Task("same")});
  EXPECT_THAT(import.tasks, IsEmpty());
  EXPECT_THAT(import.refused, ElementsAre(Pair("a", HasSubstr("of this id already")),
                                          Pair("same", HasSubstr("duplicate"))));
  EXPECT_EQ(store_->LoadTask("a")->reason, "by hand");
  EXPECT_EQ(store_->ListTasks()->size(), 1u);
}

TEST(ImportGo, WhatCannotBeTakenOverIsRefusedAndTheRestIsNot) {
  const std::string kafka =
      Task("kafka", R"("MilvusConnectParam":{},"KafkaConnectParam":{"address":"k:9092"})");
  const GoImport import = TranslateGoRecords(
      {{Task("good"), kafka, "sesame is no JSON", Task("unreadable"),
        Task("empty", R"("DBCollections":{})"), Task("damaged")},
       {R"({"TaskID":"unreadable","CollectionID":1,"Positions":{"c":{"Time":1,"DataPair":{"key":"c"}}}})",
        R"({"TaskID":"damaged","CollectionID":"one"})"}},
      Options());
  ASSERT_EQ(import.tasks.size(), 1u);
  EXPECT_EQ(import.tasks[0].task.spec.id, "good");
  EXPECT_THAT(import.refused,
              ElementsAre(Pair("kafka", HasSubstr("Kafka")), Pair("?", Not(HasSubstr("sesame"))),
                          Pair("unreadable", HasSubstr("1 of its positions")),
                          Pair("empty", HasSubstr("collection info is empty")),
                          Pair("damaged", HasSubstr("damaged"))));
}

TEST(ImportGo, AStoreThatTheExistingOneDoesNotHave) {
  const Result<GoRecords> records = ReadGoRecords(MetaStoreConfig{});
  ASSERT_FALSE(records.ok());
  EXPECT_THAT(records.error().message, HasSubstr("metaStoreConfig.storeType"));
}

}  // namespace
}  // namespace cdc
