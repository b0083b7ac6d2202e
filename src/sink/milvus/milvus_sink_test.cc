// What MilvusSink does with answers that a real Milvus gives once in a thousand times.
#include "sink/milvus/milvus_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "base/thread_executor.h"
#include "client/milvus/scripted_milvus_for_tests.h"
#include "sink/milvus/rows_for_tests.h"

namespace cdc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string PartitionNotFound() {
  WireWriter status, answer;
  status.Varint(1, 1);
  status.Bytes(2, "partition not found[partition=p]");
  status.Varint(3, 200);
  answer.Bytes(1, status.Take());
  return answer.Take();
}

std::string Partitions(const std::string& name) {
  WireWriter answer;
  answer.Bytes(2, name);
  answer.Varint(3, 77);
  return answer.Take();
}

SendOutcome SendOneInsert(const ScriptedMilvus& target) {
  auto to = std::make_shared<TargetAddressOfRows>();
  to->name = {"default", "c"};
  to->collection_id = 9;
  to->partition = "p";
  to->partition_id = 77;
  to->primary_key = rows_for_tests::kKeyField;
  to->primary_key_name = "id";
  auto batch = std::make_shared<LaneBatch>();
  batch->lane = "lane";
  batch->items.push_back({rows_for_tests::Insert({1, 2}, 100, 8), to, 100, false});
  ThreadExecutor executor("sink");
  std::promise<SendOutcome> outcome;
  {
    std::unique_ptr<MilvusSink> sink;
    executor.RunAndWait([&] {
      sink = std::make_unique<MilvusSink>(target.address(), TargetMode::kApi, &executor);
      sink->Send(
          batch, [](size_t) {}, [&](SendOutcome sent) { outcome.set_value(sent); });
    });
    SendOutcome sent = outcome.get_future().get();
    executor.RunAndWait([&] { sink.reset(); });
    return sent;
  }
}

TEST(MilvusSinkTest, APartitionThatTheTargetHasForgottenIsLookedForAgain) {
  ScriptedMilvus target([](const std::string& method) {
    if (method == "Insert") return PartitionNotFound();
    return method == "ShowPartitions" ? Partitions("p") : std::string();
  });
  const SendOutcome outcome = SendOneInsert(target);
  ASSERT_FALSE(outcome.status.ok());
  EXPECT_TRUE(outcome.status.error().IsRetry());
  EXPECT_THAT(outcome.status.error().message, HasSubstr("made to look again"));
  EXPECT_THAT(target.called(), ElementsAre("Insert", "ShowPartitions", "CreateAlias", "DropAlias"));
}

TEST(MilvusSinkTest, APartitionThatIsGoneIsRefused) {
  ScriptedMilvus target([](const std::string& method) {
    if (method == "Insert") return PartitionNotFound();
    return method == "ShowPartitions" ? Partitions("another") : std::string();
  });
  const SendOutcome outcome = SendOneInsert(target);
  ASSERT_FALSE(outcome.status.ok());
  EXPECT_FALSE(outcome.status.error().IsRetry());
  EXPECT_EQ(outcome.status.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(outcome.status.error().message, StartsWith("Milvus Insert: partition not found"));
  EXPECT_THAT(target.called(), ElementsAre("Insert", "ShowPartitions"));
}

}  // namespace
}  // namespace cdc
