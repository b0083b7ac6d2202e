// Decoding.
#include "client/milvus/message_codec.h"

#include <algorithm>
#include <optional>

#include "base/format.h"
#include "client/milvus/message_fields.h"

namespace cdc {
namespace {

using namespace message_fields;  // NOLINT: the field numbers of these messages

constexpr std::string_view kStreamingMagic = "\xFF\xFE\xFD\xFCSTREAM";

Error Corrupt(const LogId& id, std::string_view what) {
  return CorruptError(Format("message {} of the source's log: {}", ToString(id), what));
}

struct Base {
  bool present = false;
  uint64_t msg_type = 0;
  int64_t msg_id = 0;
  Timestamp timestamp = 0;
  bool streaming = false;  // has the property "_v": written by Milvus' streaming service
};

bool ReadBase(std::string_view bytes, Base* base) {
  base->present = true;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(kBaseMsgType, WireType::kVarint)) {
      base->msg_type = static_cast<uint32_t>(reader.number());  // an enum: protobuf takes 32 bits
    } else if (reader.Is(kBaseMsgId, WireType::kVarint)) {
      base->msg_id = static_cast<int64_t>(reader.number());
    } else if (reader.Is(kBaseTimestamp, WireType::kVarint)) {
      base->timestamp = reader.number();
    } else if (reader.Is(kBaseProperties, WireType::kBytes)) {
      WireReader entry(reader.bytes());
      while (entry.Next()) {
        if (entry.Is(1, WireType::kBytes) && entry.bytes() == "_v") base->streaming = true;
      }
      if (!entry.ok()) return false;
    }
  }
  return reader.ok();
}

// MsgHeader of any Milvus message: field 1 is its MsgBase. Reads no further than that: the rest is
// walked by whoever reads the body.
Result<Base> ReadHeader(const LogId& id, std::string_view payload) {
  if (payload.substr(0, kStreamingMagic.size()) == kStreamingMagic) {
    return StreamingFormatError(id);
  }
  Base base;
  WireReader reader(payload);
  while (!base.present && reader.Next()) {
    if (reader.Is(kBase, WireType::kBytes) && !ReadBase(reader.bytes(), &base)) {
      return Corrupt(id, "its MsgBase is malformed");
    }
  }
  if (!reader.ok()) return Corrupt(id, "is no protobuf message");
  if (!base.present || base.msg_type == 0) return Corrupt(id, "has no message type");
  if (base.streaming) return StreamingFormatError(id);
  return base;
}

// The other fields of a message whose body is not read.
Status WalkBody(const LogId& id, std::string_view payload) {
  WireReader reader(payload);
  size_t headers = 0;
  while (reader.Next()) headers += reader.field() == kBase ? 1 : 0;
  if (!reader.ok()) return Corrupt(id, "is no protobuf message");
  if (headers > 1) return Corrupt(id, "has two headers");
  return OkStatus();
}

// The timestamps of rows, which Milvus writes all equal: each value is read once for its run.
bool ReadTimestamps(const WireReader& reader, Change* change, size_t* count) {
  const auto take = [&](Timestamp ts) {
    change->lowest_ts = *count == 0 ? ts : std::min(change->lowest_ts, ts);
    change->ts = std::max(change->ts, ts);
  };
  if (reader.type() == WireType::kVarint) {
    take(reader.number());
    ++*count;
    return true;
  }
  std::string_view left = reader.bytes();
  while (!left.empty()) {
    size_t size = 0;
    uint64_t ts = 0;
    if (!ReadVarint(left, &size, &ts)) return false;
    take(ts);
    const std::string_view same = left.substr(0, size);
    while (left.starts_with(same)) {
      left.remove_prefix(size);
      ++*count;
    }
  }
  return reader.type() == WireType::kBytes;
}

ChangeKind KindOf(uint64_t msg_type) {
  switch (msg_type) {
    case kMsgInsert:
      return ChangeKind::kInsert;
    case kMsgDelete:
      return ChangeKind::kDelete;
    case kMsgTimeTick:
      return ChangeKind::kTimeTick;
    case kMsgCreateCollection:
      return ChangeKind::kCreateCollection;
    case kMsgDropCollection:
      return ChangeKind::kDropCollection;
    case kMsgDropPartition:
      return ChangeKind::kDropPartition;
    default:
      return ChangeKind::kOther;
  }
}

// What the body of a data message says beside the fields of Change.
struct RowsBody {
  size_t timestamps = 0;
  size_t headers = 0;
  bool columns = false;
  bool keys = false;
  bool row_based = false;
};

// One field of an Insert or Delete. False: malformed.
bool ReadRowsField(const WireReader& reader, Change* change, RowsBody* body) {
  const bool insert = change->kind == ChangeKind::kInsert;
  switch (reader.field()) {
    case kShardName:
      if (reader.type() != WireType::kBytes) return false;
      change->shard = ShardIndex(reader.bytes());
      return true;
    case kCollectionId:
      change->collection_id = static_cast<int64_t>(reader.number());
      return reader.type() == WireType::kVarint;
    case kPartitionId:
      change->partition_id = static_cast<int64_t>(reader.number());
      return reader.type() == WireType::kVarint;
    case kTimestamps:
      return ReadTimestamps(reader, change, &body->timestamps);
    case kBase:  // once
      return ++body->headers == 1;
    default:
      break;
  }
  if (reader.field() == (insert ? kInsertNumRows : kDeleteNumRows)) {
    change->num_rows = reader.number();
    return reader.type() == WireType::kVarint;
  }
  if (insert && reader.field() == kFieldsData) {
    body->columns = true;
    return reader.type() == WireType::kBytes;
  }
  if (insert && reader.field() == kRowData) body->row_based = true;
  if (!insert && reader.field() == kPrimaryKeys) {
    body->keys = true;
    return reader.type() == WireType::kBytes;
  }
  if (!insert && reader.field() == kInt64PrimaryKeys) body->keys = true;
  return true;
}

Status ReadRows(const LogId& id, Change* change) {
  RowsBody body;
  WireReader reader(change->payload.bytes);
  while (reader.Next()) {
    if (!ReadRowsField(reader, change, &body)) {
      return Corrupt(id, Format("field {} is malformed", reader.field()));
    }
  }
  const bool insert = change->kind == ChangeKind::kInsert;
  const char* name = insert ? "Insert" : "Delete";
  if (change->collection_id == 0) return Corrupt(id, Format("{} names no collection", name));
  if (change->shard < 0) return Corrupt(id, Format("{} names no shard", name));
  if (body.timestamps == 0) return Corrupt(id, Format("{} has no timestamps", name));
  if (change->num_rows != body.timestamps) {
    return Corrupt(
        id, Format("{} of {} rows has {} timestamps", name, change->num_rows, body.timestamps));
  }
  if (insert && !body.columns) {
    return Corrupt(id, body.row_based ? "Insert in the row format of Milvus before 2.2"
                                      : "Insert without columns");
  }
  if (!insert && !body.keys) return Corrupt(id, "Delete without keys");
  return OkStatus();
}

// Ids of a Create/DropCollection or DropPartition.
Status ReadObjectIds(const LogId& id, Change* change) {
  const bool drop_collection = change->kind == ChangeKind::kDropCollection;
  const bool drop_partition = change->kind == ChangeKind::kDropPartition;
  const uint32_t collection_field = drop_collection ? kDropCollectionId : kObjectCollectionId;
  WireReader reader(change->payload.bytes);
  while (reader.Next()) {
    if (reader.Is(collection_field, WireType::kVarint)) {
      change->collection_id = static_cast<int64_t>(reader.number());
    } else if (drop_partition && reader.Is(kObjectPartitionId, WireType::kVarint)) {
      change->partition_id = static_cast<int64_t>(reader.number());
    }
  }
  if (change->collection_id == 0) return Corrupt(id, "names no collection");
  if (drop_partition && change->partition_id == 0) return Corrupt(id, "names no partition");
  return OkStatus();
}

// What a message about a user says. Other messages: nullopt.
Result<std::optional<CredentialOperation>> ReadCredential(const LogId& id, uint64_t msg_type,
                                                          std::string_view payload) {
  using Kind = CredentialOperation::Kind;
  CredentialOperation out;
  switch (msg_type) {
    case kMsgCreateCredential:
      out.kind = Kind::kCreate;
      break;
    case kMsgUpdateCredential:
      out.kind = Kind::kUpdate;
      break;
    case kMsgDeleteCredential:
      out.kind = Kind::kDelete;
      break;
    default:
      return std::optional<CredentialOperation>();
  }
  WireReader reader(payload);
  while (reader.Next()) {
    if (reader.Is(kCredentialUser, WireType::kBytes)) {
      out.user = reader.bytes();
    } else if (out.kind == Kind::kCreate && reader.Is(kCreatePassword, WireType::kBytes)) {
      out.password = reader.bytes();
    } else if (out.kind == Kind::kUpdate && reader.Is(kUpdateOldPassword, WireType::kBytes)) {
      out.old_password = reader.bytes();
    } else if (out.kind == Kind::kUpdate && reader.Is(kUpdateNewPassword, WireType::kBytes)) {
      out.password = reader.bytes();
    }
  }
  if (!reader.ok()) return Corrupt(id, "is no protobuf message");
  if (out.user.empty()) return Corrupt(id, "names no user");
  return std::optional<CredentialOperation>(std::move(out));
}

CollectionId ReadImportCollection(std::string_view payload) {
  CollectionId collection = 0;
  WireReader reader(payload);
  while (reader.Next()) {
    if (!reader.Is(kImportCollectionId, WireType::kVarint)) continue;
    collection = static_cast<CollectionId>(reader.number());
  }
  return collection;
}

}  // namespace

Error StreamingFormatError(LogId id) {
  return Corrupt(id,
                 "written by Milvus' streaming service (2.6, or 2.5 with it switched on), which "
                 "this source does not read; use a source of Milvus 2.3 to 2.5");
}

Result<Change> DecodeMessage(LogId id, Slice payload) {
  CDC_ASSIGN_OR_RETURN(const Base base, ReadHeader(id, payload.bytes));
  Change change;
  change.kind = KindOf(base.msg_type);
  change.msg_type = static_cast<int32_t>(base.msg_type);
  change.id = id;
  change.msg_id = base.msg_id;
  change.payload = std::move(payload);
  switch (change.kind) {
    case ChangeKind::kInsert:
    case ChangeKind::kDelete:
      CDC_RETURN_IF_ERROR(ReadRows(id, &change));
      break;
    case ChangeKind::kCreateCollection:
    case ChangeKind::kDropCollection:
    case ChangeKind::kDropPartition:
      CDC_RETURN_IF_ERROR(ReadObjectIds(id, &change));
      change.ts = base.timestamp;
      break;
    case ChangeKind::kOther:
      CDC_RETURN_IF_ERROR(WalkBody(id, change.payload.bytes));
      if (base.msg_type == kMsgImport)
        change.collection_id = ReadImportCollection(change.payload.bytes);
      change.ts = base.timestamp;
      break;
    case ChangeKind::kTimeTick:
      CDC_RETURN_IF_ERROR(WalkBody(id, change.payload.bytes));
      change.ts = base.timestamp;
      break;
  }
  return change;
}

Result<Operation> DecodeOperation(LogId id, std::string_view payload) {
  CDC_ASSIGN_OR_RETURN(const Base base, ReadHeader(id, payload));
  Operation operation;
  operation.id = id;
  operation.msg_type = static_cast<int32_t>(base.msg_type);
  operation.ts = base.timestamp;
  operation.is_flush = base.msg_type == kMsgFlush;
  if (!operation.is_flush) {
    CDC_ASSIGN_OR_RETURN(operation.credential, ReadCredential(id, base.msg_type, payload));
    return operation;
  }
  WireReader reader(payload);
  while (reader.Next()) {
    if (reader.Is(kRequestDbName, WireType::kBytes)) {
      operation.database = std::string(reader.bytes());
    } else if (reader.Is(kRequestCollectionName, WireType::kBytes)) {
      operation.collections.emplace_back(reader.bytes());
    }
  }
  return operation;
}

Result<LogId> DecodeNumericId(const std::string& bytes) {
  if (bytes.size() != 8) {
    return CorruptError(Format("a message id of {} bytes; 8 were expected", bytes.size()));
  }
  LogId id;
  for (size_t i = 8; i > 0; --i) id.minor = (id.minor << 8) | static_cast<uint8_t>(bytes[i - 1]);
  return id;
}

std::string EncodeNumericId(const LogId& id) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(id.minor >> (8 * i));
  return bytes;
}

}  // namespace cdc
