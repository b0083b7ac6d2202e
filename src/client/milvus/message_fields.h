// Field and message-type numbers of the Milvus messages that message_codec reads and writes byte by
// byte: common.proto, msg.proto, schema.proto and milvus.proto, equal from 2.3 to 2.6. Constants
// only.
#pragma once

#include <cstdint>
#include <string_view>

namespace cdc::message_fields {

// common.MsgType
inline constexpr uint64_t kMsgCreateCollection = 100;
inline constexpr uint64_t kMsgDropCollection = 101;
inline constexpr uint64_t kMsgDropPartition = 201;
inline constexpr uint64_t kMsgInsert = 400;
inline constexpr uint64_t kMsgDelete = 401;
inline constexpr uint64_t kMsgFlush = 402;
inline constexpr uint64_t kMsgImport = 408;
inline constexpr uint64_t kMsgUpsert = 404;
inline constexpr uint64_t kMsgTimeTick = 1200;
inline constexpr uint64_t kMsgCreateCredential = 1500;
inline constexpr uint64_t kMsgDeleteCredential = 1502;
inline constexpr uint64_t kMsgUpdateCredential = 1503;

// Every message: its MsgBase.
inline constexpr uint32_t kBase = 1;

// common.MsgBase
inline constexpr uint32_t kBaseMsgType = 1;
inline constexpr uint32_t kBaseMsgId = 2;
inline constexpr uint32_t kBaseTimestamp = 3;
inline constexpr uint32_t kBaseSourceId = 4;
inline constexpr uint32_t kBaseProperties = 6;
inline constexpr uint32_t kBaseReplicateInfo = 7;
inline constexpr uint32_t kInfoIsReplicate = 1;

// msg.InsertRequest and msg.DeleteRequest
inline constexpr uint32_t kShardName = 2;
inline constexpr uint32_t kDbName = 3;
inline constexpr uint32_t kCollectionName = 4;
inline constexpr uint32_t kPartitionName = 5;
inline constexpr uint32_t kCollectionId = 7;
inline constexpr uint32_t kPartitionId = 8;
inline constexpr uint32_t kInsertSegmentId = 9;
inline constexpr uint32_t kInt64PrimaryKeys = 9;  // Delete of old versions
inline constexpr uint32_t kTimestamps = 10;
inline constexpr uint32_t kDeleteNumRows = 11;
inline constexpr uint32_t kRowIds = 11;       // Insert
inline constexpr uint32_t kRowData = 12;      // Insert, row format
inline constexpr uint32_t kPrimaryKeys = 12;  // Delete
inline constexpr uint32_t kFieldsData = 13;   // Insert
inline constexpr uint32_t kDeleteSegmentId = 13;
inline constexpr uint32_t kInsertNumRows = 14;
inline constexpr uint32_t kInsertVersion = 15;  // 1: columns

// msg.CreateCollectionRequest, DropCollectionRequest, DropPartitionRequest
inline constexpr uint32_t kDropDbName = 2;
inline constexpr uint32_t kDropCollectionName = 3;
inline constexpr uint32_t kDropPartitionName = 4;
inline constexpr uint32_t kDropCollectionId = 5;    // DropCollection
inline constexpr uint32_t kObjectCollectionId = 6;  // CreateCollection, DropPartition
inline constexpr uint32_t kObjectPartitionId = 7;   // DropPartition

// msg.ImportMsg
inline constexpr uint32_t kImportCollectionId = 4;

// schema.FieldData, ScalarField, IDs and the arrays in them
inline constexpr uint32_t kColumnName = 2;
inline constexpr uint32_t kColumnScalars = 3;
inline constexpr uint32_t kColumnFieldId = 5;
inline constexpr uint32_t kColumnIsDynamic = 6;
inline constexpr uint32_t kColumnValidData = 7;  // 2.5
inline constexpr uint32_t kScalarLong = 3;
inline constexpr uint32_t kScalarFloat = 4;
inline constexpr uint32_t kScalarDouble = 5;
inline constexpr uint32_t kScalarString = 6;
inline constexpr uint32_t kIdsInteger = 1;
inline constexpr uint32_t kIdsString = 2;
inline constexpr uint32_t kArrayData = 1;
inline constexpr std::string_view kDynamicFieldName = "$meta";

// milvus.InsertRequest, UpsertRequest; db_name and collection_name(s) also of FlushRequest
inline constexpr uint32_t kRequestDbName = 2;
inline constexpr uint32_t kRequestCollectionName = 3;
inline constexpr uint32_t kRequestPartitionName = 4;
inline constexpr uint32_t kRequestFieldsData = 5;
inline constexpr uint32_t kRequestNumRows = 7;

// milvus.CreateCredentialRequest, DeleteCredentialRequest, UpdateCredentialRequest
inline constexpr uint32_t kCredentialUser = 2;
inline constexpr uint32_t kCreatePassword = 3;
inline constexpr uint32_t kUpdateOldPassword = 3;
inline constexpr uint32_t kUpdateNewPassword = 4;

// milvus.ReplicateMessageRequest
inline constexpr uint32_t kReplicateChannel = 2;
inline constexpr uint32_t kReplicateBeginTs = 3;
inline constexpr uint32_t kReplicateEndTs = 4;
inline constexpr uint32_t kReplicateMessages = 5;

}  // namespace cdc::message_fields
