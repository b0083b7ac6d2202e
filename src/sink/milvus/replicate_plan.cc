#include "sink/milvus/replicate_plan.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>
#include <utility>

#include "client/milvus/message_codec.h"
#include "sink/milvus/merge_rows.h"

namespace cdc {
namespace {

constexpr size_t kSmallBytes = 16 << 10;    // others are not worth joining
constexpr size_t kJoinedBytes = 256 << 10;  // of a joined message

// Inserts of one partition and shard on their way into one message.
class OpenInsert {
 public:
  // `above`: the target's last tick.
  OpenInsert(const TargetAddressOfRows* to, Timestamp above)
      : to_(to), above_(above), rows_(to, RowsForm::kLog) {}

  // False: not in this message.
  bool Add(const LaneItem& item) {
    const Change* change = &item.change;
    const size_t bytes = rows_.bytes() + change->payload.bytes.size();
    if (!inserts_.empty() && bytes > kJoinedBytes) return false;
    if (!rows_.Add({&change, 1})) return false;
    inserts_.push_back({change, item.stamp});
    return true;
  }
  Slices Message() const {
    const auto& [change, stamp] = inserts_.front();
    if (inserts_.size() == 1) return RewriteInsert(*change, *to_, stamp, above_);
    return JoinInserts(inserts_, *to_, rows_.Columns(), above_);
  }

 private:
  const TargetAddressOfRows* to_;
  Timestamp above_;
  MergedRows rows_;
  std::vector<StampedInsert> inserts_;
};

// Collects messages and cuts them into calls.
class Cutter {
 public:
  Cutter(const LaneBatch& batch, size_t max_bytes)
      : batch_(batch), max_bytes_(max_bytes), begin_ts_(batch.tick_before) {}

  // An Insert, which may share its message with others.
  void AddInsert(const LaneItem& item) {
    const TargetAddressOfRows& to = *item.to;
    const size_t bytes = item.change.payload.bytes.size();
    if (bytes > kSmallBytes) {
      std::vector<Slices> alone;
      alone.push_back(RewriteInsert(item.change, to, item.stamp, begin_ts_));
      return Add(std::move(alone), item);
    }
    MakeRoom(bytes, item.stamp);
    const auto [at, fresh] = open_.try_emplace({to.vchannel, to.partition_id}, &to, begin_ts_);
    if (at->second.Add(item)) return;
    messages_.push_back(at->second.Message());
    at->second = OpenInsert(&to, begin_ts_);
    at->second.Add(item);
  }
  // Messages of one item, behind all before it of its shard.
  void Add(std::vector<Slices> messages, const LaneItem& item) {
    CloseShard(item.to->vchannel);
    size_t bytes = 0;
    for (const Slices& message : messages) bytes += message.size();
    if (pieces_ > 0 && bytes_ + bytes > max_bytes_) Cut();
    for (Slices& message : messages) {
      MakeRoom(message.size(), item.stamp);  // one item may be larger than a call
      messages_.push_back(std::move(message));
    }
  }
  void AddTick(Timestamp ts) {
    Slices tick = EncodeTimeTick(ts);
    MakeRoom(tick.size(), ts);
    Close();
    messages_.push_back(std::move(tick));
  }
  void ItemDone() { ++items_done_; }

  std::vector<PlannedCall> Finish() {
    if (pieces_ > 0) Cut();
    // Items that need no message are done with the last call.
    if (!calls_.empty()) calls_.back().items_done = items_done_;
    return std::move(calls_);
  }

 private:
  // For a piece of the current item, or the tick behind all items.
  void MakeRoom(size_t bytes, Timestamp stamp) {
    if (pieces_ > 0 && bytes_ + bytes > max_bytes_) Cut();
    bytes_ += bytes;
    ++pieces_;
    end_ts_ = std::max(end_ts_, stamp);
    if (items_done_ < batch_.items.size()) Include({items_done_, items_done_ + 1}, &carries_);
  }
  void CloseShard(const std::string& vchannel) {
    auto at = open_.lower_bound({vchannel, std::numeric_limits<PartitionId>::min()});
    while (at != open_.end() && at->first.first == vchannel) {
      messages_.push_back(at->second.Message());
      at = open_.erase(at);
    }
  }
  void Close() {
    for (const auto& [place, insert] : open_) messages_.push_back(insert.Message());
    open_.clear();
  }
  void Cut() {
    Close();
    PlannedCall call;
    call.request = ReplicateRequest(batch_.lane, begin_ts_, end_ts_, messages_);
    call.group = calls_.size();  // one at a time: several at once arrive out of order
    call.divisible = pieces_ > 1;
    call.counted = bytes_;
    call.carries = std::exchange(carries_, {});
    call.items_done = items_done_;
    calls_.push_back(std::move(call));
    messages_.clear();
    bytes_ = pieces_ = 0;
  }

  const LaneBatch& batch_;
  const size_t max_bytes_;
  const Timestamp begin_ts_;
  Timestamp end_ts_ = 0;
  // Of the call being formed:
  size_t bytes_ = 0;
  size_t pieces_ = 0;  // before they are joined
  std::map<std::pair<std::string_view, PartitionId>, OpenInsert> open_;
  std::vector<Slices> messages_;
  std::vector<ItemRange> carries_;
  size_t items_done_ = 0;
  std::vector<PlannedCall> calls_;
};

Result<std::vector<Slices>> MessagesOf(const LaneBatch& batch, const LaneItem& item) {
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
      messages.push_back(RewriteInsert(change, to, item.stamp, batch.tick_before));
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
    if (item.change.kind == ChangeKind::kInsert && !item.replay) {
      cutter.AddInsert(item);
    } else {
      CDC_ASSIGN_OR_RETURN(auto messages, MessagesOf(batch, item));
      if (!messages.empty()) cutter.Add(std::move(messages), item);
    }
    cutter.ItemDone();
  }
  if (batch.tick != 0) cutter.AddTick(batch.tick);
  return cutter.Finish();
}

}  // namespace cdc
