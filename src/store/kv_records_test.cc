// The format that stores in etcd and MySQL have: what is written here must stay readable.
#include "store/kv_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cdc::kv {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr uint64_t kHuge = 0xfedcba9876543210ull;

TEST(KvRecords, Head) {
  const char* text =
      R"({"commits":"18364758544493064720","created":"7","format":1,"journal":2,"writer":"ab12"})";
  const Head head{1, "ab12", kHuge, 7, 2};
  EXPECT_EQ(EncodeHead(head), text);
  EXPECT_EQ(*DecodeHead(text), head);
  EXPECT_EQ(DecodeHead(R"({"format":2,"all":"else is new"})")->format, 2u);
  EXPECT_EQ(DecodeHead("not JSON").error().disposition, Disposition::kCorrupt);
  EXPECT_THAT(DecodeHead(R"({"format":1,"writer":"a","commits":"x"})").error().message,
              HasSubstr("the store's head"));
}

TEST(KvRecords, Task) {
  const char* text =
      R"({"id":"a b","order":"3","reason":"by hand","spec_parts":2,"state":"Paused","token":"s"})";
  const TaskRecord record{"a b", 3, TaskState::kPaused, "by hand", "s", 2};
  EXPECT_EQ(EncodeTask(record), text);
  EXPECT_EQ(*DecodeTask(text), record);
  EXPECT_EQ(TaskKey("a b/%"), "task/a%20b%2F%25");
  EXPECT_FALSE(DecodeTask(R"({"id":"a","order":"1","state":"Dancing","spec_parts":1})").ok());
}

TEST(KvRecords, SpecInPartsComesTogetherAgain) {
  TaskSpec spec;
  spec.id = "t";
  spec.mode = TargetMode::kApi;
  spec.selection.includes = {{"default", "*"}};
  spec.request_json.assign(kSpecPartBytes * 2, 'x');
  KvChanges changes;
  TaskRecord record{"t", 9, TaskState::kRunning, "", "token", PutSpec(9, spec, &changes)};
  EXPECT_EQ(record.spec_parts, 3u);
  std::map<std::string, std::string> parts;
  for (const auto& [key, value] : changes.keys) parts[key] = *value;
  EXPECT_TRUE(parts.contains("spec/9/2"));
  const Result<StoredTask> task = JoinTask(record, parts);
  ASSERT_TRUE(task.ok()) << task.error().message;
  EXPECT_EQ(task->spec.request_json, spec.request_json);
  EXPECT_EQ(task->spec.target.token, "token");
  EXPECT_EQ(task->state, TaskState::kRunning);
  parts.erase("spec/9/1");
  EXPECT_THAT(JoinTask(record, parts).error().message, HasSubstr("task t"));
}

ProgressWrite Everything() {
  ProgressWrite write;
  write.task = "t";
  write.channels = {{"by-dev-dml_0", {LogPosition::Kind::kAfter, {7, 8}}, kHuge, kHuge + 1}};
  write.operations = LogPosition{LogPosition::Kind::kAt, {0, 42}};
  write.objects = {{449, {"default", "a"}, -3, kHuge, {"p0", "p1"}, {{7, -8}}, {"default", "b"}}};
  write.forgotten_objects = {450};
  write.databases = {{9, "d", "e", true}};
  write.forgotten_databases = {10};
  write.source = SourceIdentity{kHuge, 77};
  write.rbac = RbacCatalog{{{"eve", "a hash"}},
                           {"reader"},
                           {{"eve", "reader"}},
                           {{"reader", "Collection", "d", "*", "Query", true}},
                           {{"g", {"Insert"}}}};
  write.target = "milvus/10.0.0.1:19530";
  write.lanes = {{"rootcoord/dml_1", 5}};
  return write;
}

TEST(KvRecords, Progress) {
  KvChanges changes;
  PutProgress(3, Everything(), &changes);
  const auto text = [](const char* json) { return std::optional<std::string>(json); };
  EXPECT_THAT(
      changes.keys,
      ElementsAre(
          Pair("lane/milvus%2F10.0.0.1:19530/rootcoord%2Fdml_1",
               text(R"({"fence":"5","lane":"rootcoord/dml_1"})")),
          Pair("progress/3/channel/by-dev-dml_0",
               text(R"({"channel":"by-dev-dml_0","fence":"18364758544493064721",)"
                    R"("filter":"18364758544493064720","seek":"after 7:8"})")),
          Pair("progress/3/database/10", std::nullopt),
          Pair("progress/3/database/9",
               text(R"({"ours":true,"source_id":"9","source_name":"d","target_name":"e"})")),
          Pair("progress/3/object/449",
               text(R"({"created":"18364758544493064720",)"
                    R"("moving_to":{"collection":"b","database":"default"},)"
                    R"("name":{"collection":"a","database":"default"},"partitions":{"7":"-8"},)"
                    R"("pchannels":["p0","p1"],"source_id":"449","target_id":"-3"})")),
          Pair("progress/3/object/450", std::nullopt),
          Pair("progress/3/operations", text(R"({"seek":"at 42"})")),
          Pair("progress/3/rbac",
               text(R"({"bindings":[["eve","reader"]],)"
                    R"("grants":[["reader","Collection","d","*","Query",true]],)"
                    R"("groups":{"g":["Insert"]},"roles":["reader"],"users":["eve"]})")),
          Pair("progress/3/source",
               text(R"({"cluster":"18364758544493064720","revision":"77"})"))));

  TaskProgress progress;
  const std::string prefix = ProgressPrefix(3);
  for (const auto& [key, value] : changes.keys) {
    if (!value || !key.starts_with(prefix)) continue;
    const Status read = ReadProgress(key.substr(prefix.size()), *value, &progress);
    ASSERT_TRUE(read.ok()) << read.error().message;
  }
  const ProgressWrite write = Everything();
  EXPECT_EQ(progress.channels.at("by-dev-dml_0"), write.channels[0]);
  EXPECT_EQ(progress.operations, write.operations);
  EXPECT_EQ(progress.objects.at(449), write.objects[0]);
  EXPECT_EQ(progress.databases.at(9), write.databases[0]);
  EXPECT_EQ(progress.source->cluster_id, kHuge);
  EXPECT_EQ(progress.source->revision, 77);
  EXPECT_EQ(progress.rbac->users, (std::map<std::string, std::string>{{"eve", ""}}));
  EXPECT_EQ(progress.rbac->roles, write.rbac->roles);
  EXPECT_EQ(progress.rbac->bindings, write.rbac->bindings);
  EXPECT_EQ(progress.rbac->grants, write.rbac->grants);
  EXPECT_TRUE(progress.rbac->grants.begin()->group);
  EXPECT_EQ(progress.rbac->groups, write.rbac->groups);
  const auto& lane = changes.keys.at("lane/milvus%2F10.0.0.1:19530/rootcoord%2Fdml_1");
  EXPECT_EQ(DecodeLane(*lane)->lane, "rootcoord/dml_1");
  EXPECT_EQ(DecodeLane(*lane)->fence, 5u);
}

TEST(KvRecords, DamagedProgressIsAnError) {
  TaskProgress progress;
  for (const auto& [name, value] :
       {std::pair("channel/a", "{"), std::pair("channel/a", "[]"),
        std::pair("channel/a", R"({"channel":"a","seek":"soon"})"),
        std::pair("rbac", R"({"grants":[["reader"]]})"),
        std::pair("object/1", R"({"source_id":1,"name":{}})"),
        std::pair("object/1", R"({"source_id":"1x","name":{}})"), std::pair("surprise", "{}")}) {
    EXPECT_EQ(ReadProgress(name, value, &progress).error().disposition, Disposition::kCorrupt)
        << name << " " << value;
  }
}

TEST(KvRecords, JournalHoldsAnyBytes) {
  KvChanges changes;
  changes.keys["a"] = std::string("\n1 2\0P ", 7);
  changes.keys["b"] = std::nullopt;
  changes.keys["c"] = "";
  changes.keys["d"] = std::string(300, 'd');
  for (const size_t bytes : {1, 50, 1000}) {
    KvChanges found;
    const std::vector<std::string> values = EncodeJournal(changes, bytes);
    EXPECT_EQ(values.size(), bytes == 1 ? 4u : bytes == 50 ? 2u : 1u);
    for (const std::string& value : values) {
      Result<KvChanges> part = DecodeJournal(value);
      ASSERT_TRUE(part.ok()) << part.error().message;
      found.keys.merge(part->keys);
    }
    EXPECT_EQ(found.keys, changes.keys);
  }
  EXPECT_EQ(EncodeJournal({{{"k", "value"}, {"l", std::nullopt}}, {}}, 100).front(),
            "P 1 5\nkvalueE 1\nl");
  for (const char* damaged :
       {"P", "P 1\nk", "P 1 5\nkval", "E 9\nk", "X 1\nk", "P 99999999999999999999 1\nk"}) {
    EXPECT_FALSE(DecodeJournal(damaged).ok()) << damaged;
  }
}

}  // namespace
}  // namespace cdc::kv
