#include "client/milvus/meta_codec.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>

#include "base/format.h"
#include "base/wire.h"
#include "client/milvus/schema_codec.h"
#include "milvus/meta.pb.h"

namespace cdc {
namespace {

// Does every length fit into what is around it? Protobuf sets aside what a nested length claims, up
// to 50 MB, before it finds that the bytes are not there.
bool LengthsFit(std::string_view bytes, const google::protobuf::Descriptor& type) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.type() != WireType::kBytes) continue;
    const auto* field = type.FindFieldByNumber(static_cast<int>(reader.field()));
    const auto* nested = field == nullptr ? nullptr : field->message_type();
    if (nested != nullptr && !LengthsFit(reader.bytes(), *nested)) return false;
  }
  return reader.ok();
}

template <typename Message>
Status Parse(std::string_view value, const char* what, Message* out) {
  if (!LengthsFit(value, *Message::descriptor())) {
    return CorruptError(
        Format("{} bytes in etcd are not a {}: a length is wrong", value.size(), what));
  }
  if (out->ParseFromArray(value.data(), static_cast<int>(value.size()))) return {};
  return CorruptError(Format("{} bytes in etcd are not a {}", value.size(), what));
}

// Collections, partitions and aliases. A state that a later Milvus may add is taken as alive.
ObjectState ObjectStateFromWire(int64_t state) {
  switch (state) {
    case 1:
      return ObjectState::kCreating;
    case 2:
      return ObjectState::kDropping;
    case 3:
      return ObjectState::kDropped;
    default:
      return ObjectState::kCreated;
  }
}

// Databases count one higher: 0 is "unknown", written before databases had states.
ObjectState DatabaseStateFromWire(int32_t state) {
  return ObjectStateFromWire(int64_t{state} - 1);
}

}  // namespace

bool IsTombstone(std::string_view value) {
  return value == "\xE2\x9B\xBC";
}

Result<SourceDatabase> DecodeDatabase(std::string_view value) {
  wire::DatabaseMeta wire;
  CDC_RETURN_IF_ERROR(Parse(value, "DatabaseInfo", &wire));
  SourceDatabase database;
  database.id = wire.id();
  database.name = wire.name();
  database.state = DatabaseStateFromWire(wire.state());
  database.properties = KeyValuesFromWire(wire.properties());
  return database;
}

Result<SourceCollection> DecodeCollection(std::string_view value) {
  wire::CollectionMeta wire;
  CDC_RETURN_IF_ERROR(Parse(value, "CollectionInfo", &wire));
  SourceCollection collection;
  collection.id = wire.id();
  collection.db_id = wire.db_id();
  collection.name = wire.schema().name();
  collection.schema = SchemaFromWire(wire.schema());
  collection.create_ts = wire.create_time();
  collection.state = ObjectStateFromWire(wire.state());
  collection.consistency_level = wire.consistency_level();
  collection.vchannels.assign(wire.virtual_channel_names().begin(),
                              wire.virtual_channel_names().end());
  collection.pchannels.assign(wire.physical_channel_names().begin(),
                              wire.physical_channel_names().end());
  for (const wire::KeyData& start : wire.start_positions()) {
    collection.start_positions[start.key()] = start.data();
  }
  collection.properties = KeyValuesFromWire(wire.properties());
  return collection;
}

Result<Field> DecodeField(std::string_view value) {
  wire::FieldSchema wire;
  CDC_RETURN_IF_ERROR(Parse(value, "FieldSchema", &wire));
  return FieldFromWire(wire);
}

Result<Function> DecodeFunction(std::string_view value) {
  wire::FunctionSchema wire;
  CDC_RETURN_IF_ERROR(Parse(value, "FunctionSchema", &wire));
  return FunctionFromWire(wire);
}

Result<SourcePartition> DecodePartition(std::string_view value) {
  wire::PartitionMeta wire;
  CDC_RETURN_IF_ERROR(Parse(value, "PartitionInfo", &wire));
  SourcePartition partition;
  partition.id = wire.partition_id();
  partition.name = wire.partition_name();
  partition.state = ObjectStateFromWire(wire.state());
  partition.create_ts = wire.partition_created_timestamp();
  return partition;
}

Result<AliasValue> DecodeAlias(std::string_view value) {
  wire::AliasMeta wire;
  CDC_RETURN_IF_ERROR(Parse(value, "AliasInfo", &wire));
  return AliasValue{wire.alias_name(), wire.collection_id(), wire.db_id(),
                    ObjectStateFromWire(wire.state())};
}

Result<IndexValue> DecodeIndex(std::string_view value) {
  wire::FieldIndexMeta wire;
  CDC_RETURN_IF_ERROR(Parse(value, "FieldIndex", &wire));
  const wire::IndexInfo& info = wire.index_info();
  IndexValue out;
  out.deleted = wire.deleted();
  out.index.id = info.index_id();
  out.index.field_id = info.field_id();
  out.index.name = info.index_name();
  out.index.params = KeyValuesFromWire(info.user_index_params());
  // A vector index of before 2.2 has no record of what the user asked for, only what the server
  // made of it. A scalar index made without parameters has none either: the target chooses again.
  const KeyValues made = KeyValuesFromWire(info.index_params());
  const bool of_vector = std::any_of(made.begin(), made.end(),
                                     [](const auto& pair) { return pair.first == "metric_type"; });
  if (out.index.params.empty() && of_vector) out.index.params = made;
  return out;
}

Result<CollectionLoadValue> DecodeCollectionLoad(std::string_view value) {
  wire::CollectionLoadMeta wire;
  CDC_RETURN_IF_ERROR(Parse(value, "CollectionLoadInfo", &wire));
  constexpr int32_t kLoading = 1;
  constexpr int32_t kLoadPartitions = 1;
  CollectionLoadValue out;
  out.whole = wire.load_type() != kLoadPartitions;
  out.loading = wire.status() == kLoading;
  if (wire.replica_number() > 0) out.replica_number = wire.replica_number();
  return out;
}

}  // namespace cdc
