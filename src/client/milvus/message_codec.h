// Milvus' log messages (2.3 to 2.5) and the requests that carry their rows, byte by byte.
//
// Decoding reads the small leading fields of a message only; columns are passed on as slices of the
// payload, never copied or parsed (but for the primary-key column where its keys are asked for).
// Pure functions: any thread, nothing blocks. Field numbers: Milvus' msg.proto and milvus.proto.
//
// Functions that take a Change want one that DecodeMessage returned: its payload was walked there.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/wire.h"
#include "model/change.h"
#include "model/target.h"

namespace cdc {

// ---- what the source wrote -----------------------------------------------------------------

// Decodes one message of a physical channel. Types that carry nothing for us become kOther; of an
// ImportMsg the collection is read as well.
// Errors: corrupt (bytes that are no Milvus message, a message without what its type needs, and
// messages of the streaming format of Milvus 2.6), naming `id`.
Result<Change> DecodeMessage(LogId id, Slice payload);

// The error of a message in the format of the streaming service, for where its properties are not
// in the payload.
Error StreamingFormatError(LogId id);

// Decodes one message of the operation topic. Kinds that are not understood come back with
// is_flush == false and without a credential. Errors: corrupt; no text holds a password.
Result<Operation> DecodeOperation(LogId id, std::string_view payload);

// Decodes a message id as RocksMQ and Kafka write it into etcd: 8 bytes, little endian.
Result<LogId> DecodeNumericId(const std::string& bytes);
std::string EncodeNumericId(const LogId& id);

// ---- primary keys --------------------------------------------------------------------------

using PrimaryKeys = std::variant<std::vector<int64_t>, std::vector<std::string>>;

size_t CountOf(const PrimaryKeys& keys);

// The primary keys of an Insert (its column `to.primary_key`) or of a Delete, in row order.
// Errors: corrupt (no such column, number of keys and rows differ).
Result<PrimaryKeys> ReadPrimaryKeys(const Change& change, const TargetAddressOfRows& to);

// ---- replicate mode: messages with the target's ids ------------------------------------------

// A message id for a message that stands for another one at another time. The target's consumers
// drop an Insert or Delete whose base.msgID they have seen since the last tick, so a replay must
// not reuse the original's. `salt` tells several messages made of one apart.
int64_t DeriveMessageId(int64_t msg_id, Timestamp stamp, uint64_t salt);

// The same message addressed to the target: names, ids, shard. Columns stay untouched slices.
// Row timestamps are rewritten only when `stamp` differs from change.ts, or rows are not `above`
// (a tick that the target has seen); base.msgID then becomes
// DeriveMessageId(change.msg_id, stamp, 0). base.timestamp is always `stamp` (upserts of 2.4 and
// 2.5 leave it 0); base.properties, segment ids and the database id are left out.
Slices RewriteInsert(const Change& change, const TargetAddressOfRows& to, Timestamp stamp,
                     Timestamp above = 0);
// partitionID -1 is kept only where the source wrote it (change.partition_id == kAllPartitions).
Slices RewriteDelete(const Change& change, const TargetAddressOfRows& to, Timestamp stamp);

// One Insert with the rows of several of one partition and shard, in order, each row with the stamp
// of its message. `columns` are their FieldData, joined. base.msgID is derived from the first's.
struct StampedInsert {
  const Change* change;
  Timestamp stamp;
};
Slices JoinInserts(std::span<const StampedInsert> inserts, const TargetAddressOfRows& to,
                   const std::vector<Slices>& columns, Timestamp above);

// A Delete of `keys` in the address' own partition, for replays. `msg_id` becomes base.msgID; take
// DeriveMessageId(change.msg_id, stamp, 1) of the Insert that it makes room for.
Slices EncodeDelete(const TargetAddressOfRows& to, const PrimaryKeys& keys, Timestamp stamp,
                    int64_t msg_id);
Slices EncodeTimeTick(Timestamp ts);
Slices EncodeDropCollection(const TargetAddressOfRows& to, Timestamp ts);
Slices EncodeDropPartition(const TargetAddressOfRows& to, Timestamp ts);

// milvus.ReplicateMessageRequest for one target pchannel; messages in order.
Slices ReplicateRequest(const std::string& pchannel, Timestamp begin_ts, Timestamp end_ts,
                        const std::vector<Slices>& messages);

// ---- api mode: requests of an ordinary client -------------------------------------------------

// milvus.InsertRequest / UpsertRequest with the columns of `change`, in the form that requests have
// (message_columns.h). The partition is not named when rows are routed by a partition key.
Slices InsertRequest(const Change& change, const TargetAddressOfRows& to);
Slices UpsertRequest(const Change& change, const TargetAddressOfRows& to);

// "pk in [...]" expressions that together name all keys, each about `max_bytes` at most (one key
// alone may be longer).
std::vector<std::string> DeleteExpressions(const PrimaryKeys& keys, const TargetAddressOfRows& to,
                                           size_t max_bytes);

}  // namespace cdc
