#include "sink/milvus/replicate_plan.h"

#include <algorithm>
#include <utility>

#include "client/milvus/message_codec.h"

namespace cdc {
namespace {

// Collects messages and cuts them into calls.
class Cutter {
 public:
  Cutter(const LaneBatch& batch, size_t max_bytes)
      : batch_(batch), max_bytes_(max_bytes), begin_ts_(batch.tick_before) {}

  void Add(std::vector<Slices> messages, Timestamp stamp) {
    size_t bytes = 0;
    for (const Slices& message : messages) bytes += message.size();
    if (!messages_.empty() && bytes_ + bytes > max_bytes_) Cut();
    for (Slices& message : messages) {
      // Of one item, which is larger than a call.
      if (!messages_.empty() && bytes_ + message.size() > max_bytes_) Cut();
      bytes_ += message.size();
      end_ts_ = std::max(end_ts_, stamp);
      if (items_done_ < batch_.items.size()) Include({items_done_, items_done_ + 1}, &carries_);
      messages_.push_back(std::move(message));
    }
  }
  void ItemDone() { ++items_done_; }

  std::vector<PlannedCall> Finish() {
    if (!messages_.empty()) Cut();
    // Items that need no message are done with the last call.
    if (!calls_.empty()) calls_.back().items_done = items_done_;
    return std::move(calls_);
  }

 private:
  void Cut() {
    PlannedCall call;
    call.request = ReplicateRequest(batch_.lane, begin_ts_, end_ts_, messages_);
    call.group = calls_.size();  // one at a time: several at once arrive out of order
    call.divisible = messages_.size() > 1;
    call.carries = std::exchange(carries_, {});
    call.items_done = items_done_;
    calls_.push_back(std::move(call));
    messages_.clear();
    bytes_ = 0;
  }

  const LaneBatch& batch_;
  const size_t max_bytes_;
  const Timestamp begin_ts_;
  Timestamp end_ts_ = 0;
  size_t bytes_ = 0;
  size_t items_done_ = 0;
  std::vector<Slices> messages_;
  std::vector<ItemRange> carries_;
  std::vector<PlannedCall> calls_;
};

Result<std::vector<Slices>> MessagesOf(const LaneItem& item) {
  const Change& change = item.change;
  const TargetAddressOfRows& to = *item.to;
  std::vector<Slices> messages;
  switch (change.kind) {
    case ChangeKind::kInsert:
      if (item.replay) {
        CDC_ASSIGN_OR_RETURN(const PrimaryKeys keys, ReadPrimaryKeys(change, to));
        // Below the insert and above whatever may have arrived the first time; naming the insert's
        // own partition, since the key may rightly live in another one as well.
        messages.push_back(
            EncodeDelete(to, keys, item.stamp - 1, DeriveMessageId(change.msg_id, item.stamp, 1)));
      }
      messages.push_back(RewriteInsert(change, to, item.stamp));
      break;
    case ChangeKind::kDelete:
      messages.push_back(RewriteDelete(change, to, item.stamp));
      break;
    case ChangeKind::kDropCollection:
      messages.push_back(EncodeDropCollection(to, item.stamp));
      break;
    case ChangeKind::kDropPartition:
      messages.push_back(EncodeDropPartition(to, item.stamp));
      break;
    case ChangeKind::kTimeTick:
    case ChangeKind::kCreateCollection:
    case ChangeKind::kOther:
      break;
  }
  return messages;
}

}  // namespace

Result<std::vector<PlannedCall>> PlanReplicateCalls(const LaneBatch& batch, size_t max_bytes) {
  Cutter cutter(batch, max_bytes);
  for (const LaneItem& item : batch.items) {
    CDC_ASSIGN_OR_RETURN(auto messages, MessagesOf(item));
    if (!messages.empty()) cutter.Add(std::move(messages), item.stamp);
    cutter.ItemDone();
  }
  if (batch.tick != 0) cutter.Add({EncodeTimeTick(batch.tick)}, batch.tick);
  return cutter.Finish();
}

}  // namespace cdc
