// Collection schemas between protobuf and the model. Functions that name protobuf classes are for
// src/client only.
//
// Pure functions, any thread, never fail: unknown numbers pass through.
#pragma once

#include "model/schema.h"

namespace google::protobuf {
template <typename Element>
class RepeatedPtrField;
}  // namespace google::protobuf

namespace cdc::wire {
class CollectionSchema;
class FieldSchema;
class FunctionSchema;
class KeyValue;
}  // namespace cdc::wire

namespace cdc {

KeyValues KeyValuesFromWire(const google::protobuf::RepeatedPtrField<wire::KeyValue>& wire);
void KeyValuesToWire(const KeyValues& pairs,
                     google::protobuf::RepeatedPtrField<wire::KeyValue>* out);

Field FieldFromWire(const wire::FieldSchema& wire);
Function FunctionFromWire(const wire::FunctionSchema& wire);

// RowID and Timestamp, which every Milvus collection has and no user ever names.
bool IsSystemField(const Field& field);
// The hidden JSON column of a collection with a dynamic field.
bool IsDynamicMetaField(const Field& field);
// Adds `field` to `schema` unless it is a system field; $meta sets enable_dynamic_field instead.
// Keeps the fields in the order of their ids.
void AddField(Field field, CollectionSchema* schema);

// Fields by id; system fields and $meta are left out (see AddField).
CollectionSchema SchemaFromWire(const wire::CollectionSchema& wire);

// The schema for CreateCollection: the server adds ids, system fields and $meta by itself.
// `force_auto_id_off`: the target shall take the source's keys as they are.
void SchemaToWire(const CollectionSchema& schema, bool force_auto_id_off,
                  wire::CollectionSchema* out);

}  // namespace cdc
