// Change: one message of a source log channel, with its leading fields read and the rest untouched.
//
// Plain value; copies share the payload. Wire facts: Milvus msg.proto as written by 2.3 to 2.5
// (Insert 400, Delete 401, TimeTick 1200, Create/DropCollection 100/101, DropPartition 201).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/slice.h"
#include "model/ids.h"
#include "model/position.h"
#include "model/rbac.h"
#include "model/timestamp.h"

namespace cdc {

enum class ChangeKind {
  kInsert,
  kDelete,
  kTimeTick,
  kCreateCollection,
  kDropCollection,
  kDropPartition,
  kOther,  // understood as a message, of a type that carries no data of ours: counted, passed over
};

inline constexpr int32_t kTimeTickMsgType = 1200;
inline constexpr int32_t kImportMsgType = 408;  // kOther: rows that came by files, not by the log

struct Change {
  ChangeKind kind = ChangeKind::kOther;
  int32_t msg_type = 0;  // MsgType number as written
  LogId id;
  // The latest of the rows for Insert and Delete, else base.timestamp. Only rows of an Insert that
  // we have joined for a standby differ (sink/milvus/replicate_plan.h); none is below `lowest_ts`.
  Timestamp ts = 0;
  Timestamp lowest_ts = 0;  // of an Insert or Delete
  int64_t msg_id = 0;  // base.msgID; Insert and Delete of one channel with an equal one are copies
  CollectionId collection_id = 0;
  PartitionId partition_id = 0;  // kAllPartitions in a delete that names none
  int32_t shard = -1;            // index of the vchannel; -1 for TimeTick and drops
  uint64_t num_rows = 0;
  Slice payload;  // the whole message as the log holds it

  // Bytes charged to a quota while this change is held.
  size_t MemoryUsage() const { return sizeof(*this) + payload.bytes.size(); }
};

// One operation that leaves no state in etcd (a flush, a password), from the operation topic.
struct Operation {
  LogId id;
  int32_t msg_type = 0;
  Timestamp ts = 0;  // 0: unknown
  bool is_flush = false;
  std::string database;  // empty: "default"
  std::vector<std::string> collections;
  std::optional<CredentialOperation> credential;  // of an operation on a user; holds secrets
};

// Is this a kind of operation that a Milvus 2.3 to 2.5 writes there? What any of these does is
// replicated, by its state in etcd or from the topic; of another kind nobody knows.
bool IsKnownOperation(int32_t msg_type);

// Index of a shard: the number behind the last 'v' of a vchannel name; -1 if there is none.
int ShardIndex(std::string_view vchannel);

}  // namespace cdc
