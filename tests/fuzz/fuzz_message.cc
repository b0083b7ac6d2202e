// Messages of a physical channel, and all that is made of what decodes: keys, rewritten messages,
// requests, delete expressions, the calls of both modes. Beside the decoder stands protobuf itself.
#include <algorithm>

#include "client/milvus/message_codec.h"
#include "fuzz_check.h"
#include "milvus/msg.pb.h"
#include "sink/milvus/api_plan.h"
#include "sink/milvus/merge_rows.h"
#include "sink/milvus/replicate_plan.h"

namespace cdc::fuzz {
namespace {

constexpr LogId kId{8, 4711};

TargetAddressOfRows Address(bool named_partition) {
  TargetAddressOfRows to;
  to.name = {"target_db", "target_coll"};
  to.collection_id = 7001;
  to.vchannel = "tgt-dml_3_7001v1";
  to.pchannel = "tgt-dml_3";
  if (named_partition) to.partition = "part";
  to.partition_id = 7002;
  to.primary_key = 100;
  to.primary_key_name = "id";
  to.with_default = {101, 103, 107, 108};
  to.partition_key = !named_partition;
  return to;
}

Change Redecode(const Slices& bytes, const char* promise) {
  Result<Change> change = DecodeMessage(kId, Slice::Own(bytes.Join()));
  Require(change.ok(), promise);
  return *std::move(change);
}

template <typename Message>
bool Parse(const Change& change, Message* message) {
  const std::string_view bytes = change.payload.bytes;
  return message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

// Protobuf refuses more than we do (text that is no UTF-8), but must never read something else.
template <typename Message>
void CompareRows(const Change& change) {
  const OffBudget harness;
  Message message;
  if (!Parse(change, &message)) return;
  Require(message.base().msg_type() == change.msg_type, "the type is protobuf's");
  Require(message.base().msg_id() == change.msg_id, "base.msgID is protobuf's");
  Require(message.collection_id() == change.collection_id, "the collection is protobuf's");
  Require(message.partition_id() == change.partition_id, "the partition is protobuf's");
  Require(ShardIndex(message.shard_name()) == change.shard, "the shard is protobuf's");
  Require(static_cast<uint64_t>(message.num_rows()) == change.num_rows, "rows are protobuf's");
  Require(static_cast<uint64_t>(message.timestamps_size()) == change.num_rows,
          "there are as many timestamps as rows");
  const auto& stamps = message.timestamps();
  const auto [lowest, latest] = std::minmax_element(stamps.begin(), stamps.end());
  Require(*latest == change.ts && *lowest == change.lowest_ts, "ts is the rows'");
}

void CheckKeys(const Change& change, const TargetAddressOfRows& to) {
  const Result<PrimaryKeys> keys = ReadPrimaryKeys(change, to);
  if (!keys.ok()) return RequireCorruptAt(keys.error(), kId);
  Require(CountOf(*keys) == change.num_rows, "every row has a key");
  size_t expressions = 0;
  for (const std::string& expression : DeleteExpressions(*keys, to, 200)) {
    expressions += expression.size();
  }
  Require(expressions <= 64 + 40 * (change.payload.bytes.size() + change.num_rows),
          "expressions are about as long as the keys");
  const Change again =
      Redecode(EncodeDelete(to, *keys, change.ts + 1, 77), "our own deletes can be read");
  Require(again.num_rows == change.num_rows, "a delete of these keys has as many rows");
  if (change.num_rows == 0) return;
  const Result<PrimaryKeys> same = ReadPrimaryKeys(again, to);
  Require(same.ok() && *same == *keys, "a delete of these keys names these keys");
}

void CheckRewrite(const Change& change, const TargetAddressOfRows& to, Timestamp stamp) {
  const bool insert = change.kind == ChangeKind::kInsert;
  const auto rewrite = [&](const Change& from) {
    return insert ? RewriteInsert(from, to, stamp) : RewriteDelete(from, to, stamp);
  };
  const Slices slices = rewrite(change);
  const Change after = Redecode(slices, "what decodes is rewritten into what decodes");
  Require(after.kind == change.kind && after.num_rows == change.num_rows, "the same rows");
  Require(after.ts == stamp, "with the stamp");
  Require(after.shard == ShardIndex(to.vchannel) && after.collection_id == to.collection_id,
          "for the target");
  const Result<PrimaryKeys> keys = ReadPrimaryKeys(change, to);
  const Result<PrimaryKeys> keys_after = ReadPrimaryKeys(after, to);
  Require(keys.ok() == keys_after.ok() && (!keys.ok() || *keys == *keys_after), "the same keys");
  // Rows of an insert at 0 are not above what the target has seen: stamped anew each time.
  if (insert && stamp == 0) return;
  Require(rewrite(after).Join() == slices.Join(), "rewriting twice is rewriting once");
}

void CheckRequests(const Change& change, const TargetAddressOfRows& to) {
  const OffBudget harness;
  wire::InsertMessage before;
  if (!Parse(change, &before)) return;
  wire::InsertRowsRequest request;
  Require(request.ParseFromString(InsertRequest(change, to).Join()), "a request is a message");
  Require(request.fields_data_size() == before.fields_data_size(), "with every column");
  MergedRows merged(&to);
  const std::vector<const Change*> twice = {&change, &change};
  if (!merged.Add(twice) || before.fields_data_size() == 0) return;
  Require(request.ParseFromString(merged.Request(RowsCall::kUpsert).Join()),
          "joined rows are a message");
  Require(request.num_rows() == static_cast<uint32_t>(2 * change.num_rows), "of all their rows");
}

void CheckCalls(const Change& change, const TargetAddressOfRows& address) {
  LaneBatch batch;
  batch.lane = address.pchannel;
  const auto to = std::make_shared<const TargetAddressOfRows>(address);
  for (const bool replay : {false, true, false}) {
    batch.items.push_back({change, to, change.ts + 1, replay});
  }
  batch.tick = change.ts + 2;
  for (const auto& calls : {PlanApiCalls(batch, {change.payload.bytes.size() * 2, 100}),
                            PlanReplicateCalls(batch, 100)}) {
    if (!calls.ok()) {
      RequireCorruptAt(calls.error(), kId);
      continue;
    }
    Require(!calls->empty() && calls->back().items_done == 3, "the calls do the whole batch");
  }
}

void CheckRows(const Change& change) {
  if (change.kind == ChangeKind::kInsert) {
    CompareRows<wire::InsertMessage>(change);
  } else {
    CompareRows<wire::DeleteMessage>(change);
  }
  for (const bool named_partition : {true, false}) {
    const TargetAddressOfRows to = Address(named_partition);
    CheckKeys(change, to);
    CheckRewrite(change, to, change.ts);
    CheckRewrite(change, to, change.ts + 12345);
    if (change.kind == ChangeKind::kInsert) CheckRequests(change, to);
    CheckCalls(change, to);
  }
}

void Run(std::string bytes) {
  const MemoryBudget budget(bytes.size());
  const auto payload = Slice::Own(std::move(bytes));
  const Result<Change> change = DecodeMessage(kId, payload);
  if (!change.ok()) return RequireCorruptAt(change.error(), kId);
  const std::string_view kept = change->payload.bytes;
  Require(change->id == kId && kept.data() == payload.bytes.data() && kept == payload.bytes,
          "a change knows where it came from");
  if (change->kind == ChangeKind::kInsert || change->kind == ChangeKind::kDelete) {
    CheckRows(*change);
  }
}

}  // namespace
}  // namespace cdc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cdc::fuzz::Run(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
