// Messages and requests for a target, around the untouched columns of the source.
#include "client/milvus/message_codec.h"
#include "client/milvus/message_columns.h"
#include "client/milvus/message_fields.h"

namespace cdc {
namespace {

using namespace message_fields;  // NOLINT: the field numbers of these messages

// MsgBase with another id and timestamp; without properties and replicateInfo.
std::string RewriteBase(std::string_view base, int64_t msg_id, Timestamp stamp) {
  WireWriter out;
  WireReader reader(base);
  while (reader.Next()) {
    if (reader.field() == kBaseMsgType || reader.field() == kBaseSourceId) out.Raw(reader.raw());
  }
  if (msg_id != 0) out.Varint(kBaseMsgId, static_cast<uint64_t>(msg_id));
  out.Varint(kBaseTimestamp, stamp);
  return out.Take();
}

std::string NewBase(uint64_t msg_type, int64_t msg_id, Timestamp stamp) {
  WireWriter out;
  out.Varint(kBaseMsgType, msg_type);
  if (msg_id != 0) out.Varint(kBaseMsgId, static_cast<uint64_t>(msg_id));
  out.Varint(kBaseTimestamp, stamp);
  return out.Take();
}

void WriteRowsAddress(const TargetAddressOfRows& to, bool name_partition, WireWriter* out) {
  out->Bytes(kShardName, to.vchannel);
  out->Bytes(kDbName, to.name.database);
  out->Bytes(kCollectionName, to.name.collection);
  if (name_partition && !to.partition.empty()) out->Bytes(kPartitionName, to.partition);
  out->Varint(kCollectionId, static_cast<uint64_t>(to.collection_id));
  const PartitionId partition = name_partition ? to.partition_id : kAllPartitions;
  out->Varint(kPartitionId, static_cast<uint64_t>(partition));
}

// Appends the fields of `payload` that `keep` accepts, neighbours as one slice.
template <typename Keep>
void AppendKept(const Slice& payload, Keep keep, Slices* out) {
  std::string_view run;
  WireReader reader(payload.bytes);
  while (reader.Next()) {
    const std::string_view raw = reader.raw();
    if (!keep(reader.field())) continue;
    if (!run.empty() && run.data() + run.size() == raw.data()) {
      run = {run.data(), run.size() + raw.size()};
      continue;
    }
    out->Append(payload.owner, run);
    run = raw;
  }
  out->Append(payload.owner, run);
}

// The MsgBase of a message. Protobuf merges one that stands there twice: so does appending.
std::string BaseOf(const Change& change) {
  std::string base;
  WireReader reader(change.payload.bytes);
  while (reader.Next()) {
    if (reader.Is(kBase, WireType::kBytes)) base += reader.bytes();
  }
  return base;
}

bool KeepsTimestamps(const Change& change, Timestamp stamp, Timestamp above) {
  return stamp == change.ts && change.lowest_ts > above;
}

Slices RewriteRows(const Change& change, const TargetAddressOfRows& to, Timestamp stamp,
                   bool restamp, bool name_partition, uint32_t segment_field) {
  const int64_t msg_id = restamp ? DeriveMessageId(change.msg_id, stamp, 0) : change.msg_id;
  WireWriter head;
  head.Bytes(kBase, RewriteBase(BaseOf(change), msg_id, stamp));
  WriteRowsAddress(to, name_partition, &head);
  if (restamp) head.PackedRepeat(kTimestamps, stamp, change.num_rows);
  Slices out;
  out.Append(head.Take());
  AppendKept(
      change.payload,
      [&](uint32_t field) {
        if (field <= kPartitionId || field == segment_field) return false;
        return !(restamp && field == kTimestamps);
      },
      &out);
  return out;
}

Slices RowsRequest(const Change& change, const TargetAddressOfRows& to, uint64_t msg_type) {
  WireWriter base;
  base.Varint(kBaseMsgType, msg_type);
  WireWriter head;
  head.Bytes(kBase, base.str());
  head.Bytes(kRequestDbName, to.name.database);
  head.Bytes(kRequestCollectionName, to.name.collection);
  if (!to.partition_key && !to.partition.empty()) head.Bytes(kRequestPartitionName, to.partition);
  head.Varint(kRequestNumRows, change.num_rows);
  Slices out;
  out.Append(head.Take());
  WireReader reader(change.payload.bytes);
  while (reader.Next()) {
    if (!reader.Is(kFieldsData, WireType::kBytes)) continue;
    const Slices column = RequestColumn(change.payload, reader.bytes(), change.num_rows, to);
    WireWriter header;
    header.BytesHeader(kRequestFieldsData, column.size());
    out.Append(header.Take());
    out.Append(column);
  }
  return out;
}

}  // namespace

int64_t DeriveMessageId(int64_t msg_id, Timestamp stamp, uint64_t salt) {
  // splitmix64's finisher over all three: equal inputs give equal ids, others practically never.
  uint64_t mixed = static_cast<uint64_t>(msg_id) + stamp * 0x9e3779b97f4a7c15U;
  mixed += (salt + 1) * 0xd1b54a32d192ed03U;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
  mixed ^= mixed >> 31;
  return static_cast<int64_t>(mixed >> 1) | 1;  // positive, never 0
}

Slices RewriteInsert(const Change& change, const TargetAddressOfRows& to, Timestamp stamp,
                     Timestamp above) {
  const bool restamp = !KeepsTimestamps(change, stamp, above);
  return RewriteRows(change, to, stamp, restamp, true, kInsertSegmentId);
}

Slices JoinInserts(std::span<const StampedInsert> inserts, const TargetAddressOfRows& to,
                   const std::vector<Slices>& columns, Timestamp above) {
  const Change& first = *inserts.front().change;
  const Timestamp last_stamp = inserts.back().stamp;
  WireWriter timestamps, row_ids;
  uint64_t rows = 0, version = 0;
  for (const auto& [change, stamp] : inserts) {
    rows += change->num_rows;
    const bool keep = KeepsTimestamps(*change, stamp, above);
    if (!keep) {
      for (uint64_t row = 0; row < change->num_rows; ++row) timestamps.RawVarint(stamp);
    }
    WireReader reader(change->payload.bytes);
    while (reader.Next()) {
      const auto append = [&](WireWriter* to_list) {
        if (reader.type() == WireType::kBytes) to_list->Raw(reader.bytes());
        if (reader.type() == WireType::kVarint) to_list->RawVarint(reader.number());
      };
      if (reader.field() == kTimestamps && keep) append(&timestamps);
      if (reader.field() == kRowIds) append(&row_ids);
      if (reader.field() == kInsertVersion) version = reader.number();
    }
  }
  WireWriter head;
  const uint64_t salt = 2 + (static_cast<uint64_t>(to.partition_id) << 2);
  const int64_t msg_id = DeriveMessageId(first.msg_id, last_stamp, salt);
  head.Bytes(kBase, RewriteBase(BaseOf(first), msg_id, last_stamp));
  WriteRowsAddress(to, true, &head);
  head.Bytes(kTimestamps, timestamps.str());
  head.Bytes(kRowIds, row_ids.str());
  head.Varint(kInsertNumRows, rows);
  if (version != 0) head.Varint(kInsertVersion, version);
  Slices out;
  for (const Slices& column : columns) {
    head.BytesHeader(kFieldsData, column.size());
    out.Append(head.Take());
    out.Append(column);
  }
  return out;
}

Slices RewriteDelete(const Change& change, const TargetAddressOfRows& to, Timestamp stamp) {
  const bool name_partition = change.partition_id != kAllPartitions;
  return RewriteRows(change, to, stamp, stamp != change.ts, name_partition, kDeleteSegmentId);
}

Slices EncodeDelete(const TargetAddressOfRows& to, const PrimaryKeys& keys, Timestamp stamp,
                    int64_t msg_id) {
  WireWriter array;
  uint32_t kind = kIdsInteger;
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&keys)) {
    WireWriter packed;
    for (const int64_t key : *integers) packed.RawVarint(static_cast<uint64_t>(key));
    array.Bytes(kArrayData, packed.str());
  } else {
    kind = kIdsString;
    for (const std::string& key : std::get<std::vector<std::string>>(keys)) {
      array.Bytes(kArrayData, key);
    }
  }
  WireWriter ids;
  ids.Bytes(kind, array.str());
  WireWriter out;
  out.Bytes(kBase, NewBase(kMsgDelete, msg_id, stamp));
  WriteRowsAddress(to, true, &out);
  out.PackedRepeat(kTimestamps, stamp, CountOf(keys));
  out.Varint(kDeleteNumRows, CountOf(keys));
  out.Bytes(kPrimaryKeys, ids.str());
  Slices slices;
  slices.Append(out.Take());
  return slices;
}

Slices EncodeTimeTick(Timestamp ts) {
  WireWriter out;
  out.Bytes(kBase, NewBase(kMsgTimeTick, 0, ts));
  Slices slices;
  slices.Append(out.Take());
  return slices;
}

Slices EncodeDropCollection(const TargetAddressOfRows& to, Timestamp ts) {
  WireWriter out;
  out.Bytes(kBase, NewBase(kMsgDropCollection, 0, ts));
  out.Bytes(kDropDbName, to.name.database);
  out.Bytes(kDropCollectionName, to.name.collection);
  out.Varint(kDropCollectionId, static_cast<uint64_t>(to.collection_id));
  Slices slices;
  slices.Append(out.Take());
  return slices;
}

Slices EncodeDropPartition(const TargetAddressOfRows& to, Timestamp ts) {
  WireWriter out;
  out.Bytes(kBase, NewBase(kMsgDropPartition, 0, ts));
  out.Bytes(kDropDbName, to.name.database);
  out.Bytes(kDropCollectionName, to.name.collection);
  out.Bytes(kDropPartitionName, to.partition);
  out.Varint(kObjectCollectionId, static_cast<uint64_t>(to.collection_id));
  out.Varint(kObjectPartitionId, static_cast<uint64_t>(to.partition_id));
  Slices slices;
  slices.Append(out.Take());
  return slices;
}

Slices ReplicateRequest(const std::string& pchannel, Timestamp begin_ts, Timestamp end_ts,
                        const std::vector<Slices>& messages) {
  WireWriter info;
  info.Varint(kInfoIsReplicate, 1);
  WireWriter base;
  base.Bytes(kBaseReplicateInfo, info.str());
  WireWriter head;
  head.Bytes(kBase, base.str());
  head.Bytes(kReplicateChannel, pchannel);
  head.Varint(kReplicateBeginTs, begin_ts);
  head.Varint(kReplicateEndTs, end_ts);
  Slices out;
  for (const Slices& message : messages) {
    head.BytesHeader(kReplicateMessages, message.size());
    out.Append(head.Take());
    out.Append(message);
  }
  out.Append(head.Take());  // only when there are no messages
  return out;
}

Slices InsertRequest(const Change& change, const TargetAddressOfRows& to) {
  return RowsRequest(change, to, kMsgInsert);
}

Slices UpsertRequest(const Change& change, const TargetAddressOfRows& to) {
  return RowsRequest(change, to, kMsgUpsert);
}

}  // namespace cdc
