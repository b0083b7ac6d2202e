#include "client/milvus/milvus_client.h"

#include "client/milvus/milvus_client_impl.h"
#include "client/milvus/schema_codec.h"

namespace cdc {
namespace {

using enum MilvusCallClass;

// MsgType numbers that some servers want in base.
enum : int32_t {
  kCreateCollectionType = 100,
  kDropCollectionType = 101,
  kCreatePartitionType = 200,
  kDropPartitionType = 201,
};

void FillBase(int32_t type, Timestamp replicate_ts, wire::MsgBase* base) {
  base->set_msg_type(type);
  if (replicate_ts == 0) return;
  base->mutable_replicate_info()->set_is_replicate(true);
  base->mutable_replicate_info()->set_msg_timestamp(replicate_ts);
}

template <typename Request>
Request Named(const TargetName& name) {
  Request request;
  request.set_db_name(name.database);
  request.set_collection_name(name.collection);
  return request;
}

}  // namespace

MilvusClient::MilvusClient(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

// While all is still there: the callbacks that come now may call again.
MilvusClient::~MilvusClient() {
  impl_->channel->Close();
}

Result<std::shared_ptr<MilvusClient>> MilvusClient::Open(const TargetAddress& address) {
  auto impl = std::make_shared<Impl>();
  CDC_ASSIGN_OR_RETURN(impl->channel, MilvusChannel::Open(address));
  impl->endpoint = Format("{}://{}:{}", address.tls ? "https" : "http", address.host, address.port);
  return std::shared_ptr<MilvusClient>(new MilvusClient(std::move(impl)));
}

const std::string& MilvusClient::endpoint() const {
  return impl_->endpoint;
}

void MilvusClient::GetVersion(MilvusDone<Result<std::string>> done) {
  CallMilvus<wire::GetVersionResponse>(
      *impl_->channel, "GetVersion", kRead, wire::GetVersionRequest(), "", kReadTimeout,
      [done = std::move(done)](Result<wire::GetVersionResponse> answer) {
        if (!answer) return done(answer.error());
        done(answer->version());
      });
}

void MilvusClient::ProbeMode(MilvusDone<Result<TargetMode>> done) {
  // An empty request: the mode is checked before the channel name.
  CallMilvus<wire::ReplicateMessageResponse>(
      *impl_->channel, "ReplicateMessage", kRead, Slices(), "", kReadTimeout,
      [done = std::move(done)](Result<wire::ReplicateMessageResponse> answer) {
        if (answer) {
          return done(FatalError("Milvus ReplicateMessage: accepted a message without a channel",
                                 ErrorKind::kUnsupported));
        }
        switch (answer.error().kind) {
          case ErrorKind::kNotStandby:
          case ErrorKind::kUnsupported:
            return done(TargetMode::kApi);
          case ErrorKind::kInvalid:
            // Also what a wrong token gives; that one speaks of the token or of privileges.
            if (answer.error().message.find("channel name") != std::string::npos) {
              return done(TargetMode::kReplicate);
            }
            return done(answer.error());
          default:
            return done(answer.error());
        }
      });
}

void MilvusClient::ListDatabases(MilvusDone<Result<std::vector<std::string>>> done) {
  CallMilvus<wire::ListDatabasesResponse>(
      *impl_->channel, "ListDatabases", kRead, wire::ListDatabasesRequest(), "", kReadTimeout,
      [done = std::move(done)](Result<wire::ListDatabasesResponse> answer) {
        if (!answer) return done(answer.error());
        done(std::vector<std::string>(answer->db_names().begin(), answer->db_names().end()));
      });
}

void MilvusClient::CreateDatabase(const std::string& database, MilvusDone<Status> done) {
  wire::DatabaseRequest request;
  request.set_db_name(database);
  CallForStatus(*impl_->channel, "CreateDatabase", request, "", kDdlTimeout, std::move(done));
}

void MilvusClient::DropDatabase(const std::string& database, MilvusDone<Status> done) {
  wire::DatabaseRequest request;
  request.set_db_name(database);
  CallForStatus(*impl_->channel, "DropDatabase", request, "", kDdlTimeout, std::move(done));
}

void MilvusClient::CreateCollection(const CreateCollectionCall& call, MilvusDone<Status> done) {
  wire::CollectionSchema schema;
  SchemaToWire(call.schema, call.force_auto_id_off, &schema);
  schema.set_name(call.name.collection);
  auto request = Named<wire::CreateCollectionRequest>(call.name);
  FillBase(kCreateCollectionType, call.replicate_ts, request.mutable_base());
  request.set_schema(schema.SerializeAsString());
  request.set_shards_num(call.shards);
  request.set_consistency_level(call.consistency_level);
  KeyValuesToWire(call.properties, request.mutable_properties());
  request.set_num_partitions(call.num_partitions);
  CallForStatus(*impl_->channel, "CreateCollection", request, call.name.database, kDdlTimeout,
                std::move(done));
}

void MilvusClient::DropCollection(const TargetName& name, Timestamp replicate_ts,
                                  MilvusDone<Status> done) {
  auto request = Named<wire::DropCollectionRequest>(name);
  FillBase(kDropCollectionType, replicate_ts, request.mutable_base());
  CallForStatus(*impl_->channel, "DropCollection", request, name.database, kDdlTimeout,
                std::move(done));
}

void MilvusClient::RenameCollection(const TargetName& from, const TargetName& to,
                                    MilvusDone<Status> done) {
  wire::RenameCollectionRequest request;
  request.set_db_name(from.database);
  request.set_old_name(from.collection);
  request.set_new_name(to.collection);
  request.set_new_db_name(to.database);
  CallForStatus(*impl_->channel, "RenameCollection", request, from.database, kDdlTimeout,
                std::move(done));
}

void MilvusClient::AlterProperties(const TargetName& name, const KeyValues& properties,
                                   MilvusDone<Status> done) {
  auto request = Named<wire::AlterCollectionRequest>(name);
  KeyValuesToWire(properties, request.mutable_properties());
  CallForStatus(*impl_->channel, "AlterCollection", request, name.database, kDdlTimeout,
                std::move(done));
}

void MilvusClient::Flush(const TargetName& name, MilvusDone<Status> done) {
  wire::FlushRequest request;
  request.set_db_name(name.database);
  request.add_collection_names(name.collection);
  CallMilvus<wire::FlushResponse>(*impl_->channel, "Flush", kWrite, request, name.database,
                                  kFlushTimeout,
                                  [done = std::move(done)](Result<wire::FlushResponse> answer) {
                                    done(answer ? OkStatus() : Status(answer.error()));
                                  });
}

void MilvusClient::CreatePartition(const TargetName& name, const std::string& partition,
                                   Timestamp replicate_ts, MilvusDone<Status> done) {
  auto request = Named<wire::PartitionRequest>(name);
  FillBase(kCreatePartitionType, replicate_ts, request.mutable_base());
  request.set_partition_name(partition);
  CallForStatus(*impl_->channel, "CreatePartition", request, name.database, kDdlTimeout,
                std::move(done));
}

void MilvusClient::DropPartition(const TargetName& name, const std::string& partition,
                                 Timestamp replicate_ts, MilvusDone<Status> done) {
  auto request = Named<wire::PartitionRequest>(name);
  FillBase(kDropPartitionType, replicate_ts, request.mutable_base());
  request.set_partition_name(partition);
  CallForStatus(*impl_->channel, "DropPartition", request, name.database, kDdlTimeout,
                std::move(done));
}

void MilvusClient::CreateIndex(const TargetName& name, const std::string& field,
                               const std::string& index, const KeyValues& params,
                               MilvusDone<Status> done) {
  auto request = Named<wire::CreateIndexRequest>(name);
  request.set_field_name(field);
  request.set_index_name(index);
  KeyValuesToWire(params, request.mutable_extra_params());
  CallForStatus(*impl_->channel, "CreateIndex", request, name.database, kDdlTimeout,
                std::move(done));
}

void MilvusClient::DropIndex(const TargetName& name, const std::string& field,
                             const std::string& index, MilvusDone<Status> done) {
  auto request = Named<wire::DropIndexRequest>(name);
  request.set_field_name(field);
  request.set_index_name(index);
  CallForStatus(*impl_->channel, "DropIndex", request, name.database, kDdlTimeout, std::move(done));
}

void MilvusClient::CreateAlias(const TargetName& name, const std::string& alias,
                               MilvusDone<Status> done) {
  auto request = Named<wire::CreateAliasRequest>(name);
  request.set_alias(alias);
  CallForStatus(*impl_->channel, "CreateAlias", request, name.database, kDdlTimeout,
                std::move(done));
}

void MilvusClient::AlterAlias(const TargetName& name, const std::string& alias,
                              MilvusDone<Status> done) {
  auto request = Named<wire::CreateAliasRequest>(name);
  request.set_alias(alias);
  CallForStatus(*impl_->channel, "AlterAlias", request, name.database, kDdlTimeout,
                std::move(done));
}

void MilvusClient::DropAlias(const std::string& database, const std::string& alias,
                             MilvusDone<Status> done) {
  wire::DropAliasRequest request;
  request.set_db_name(database);
  request.set_alias(alias);
  CallForStatus(*impl_->channel, "DropAlias", request, database, kDdlTimeout, std::move(done));
}

void MilvusClient::LoadCollection(const TargetName& name, int32_t replicas,
                                  MilvusDone<Status> done) {
  auto request = Named<wire::LoadCollectionRequest>(name);
  request.set_replica_number(replicas);
  CallForStatus(*impl_->channel, "LoadCollection", request, name.database, kDdlTimeout,
                std::move(done));
}

void MilvusClient::ReleaseCollection(const TargetName& name, MilvusDone<Status> done) {
  CallForStatus(*impl_->channel, "ReleaseCollection", Named<wire::ReleaseCollectionRequest>(name),
                name.database, kDdlTimeout, std::move(done));
}

void MilvusClient::LoadPartitions(const TargetName& name,
                                  const std::vector<std::string>& partitions, int32_t replicas,
                                  MilvusDone<Status> done) {
  auto request = Named<wire::PartitionsRequest>(name);
  for (const std::string& partition : partitions) request.add_partition_names(partition);
  request.set_replica_number(replicas);
  CallForStatus(*impl_->channel, "LoadPartitions", request, name.database, kDdlTimeout,
                std::move(done));
}

void MilvusClient::ReleasePartitions(const TargetName& name,
                                     const std::vector<std::string>& partitions,
                                     MilvusDone<Status> done) {
  auto request = Named<wire::PartitionsRequest>(name);
  for (const std::string& partition : partitions) request.add_partition_names(partition);
  CallForStatus(*impl_->channel, "ReleasePartitions", request, name.database, kDdlTimeout,
                std::move(done));
}

namespace {

MilvusDone<Result<wire::MutationResult>> Counted(MilvusDone<Result<MutationCounts>> done) {
  return [done = std::move(done)](Result<wire::MutationResult> answer) {
    if (!answer) return done(answer.error());
    done(MutationCounts{answer->insert_cnt(), answer->delete_cnt(), answer->upsert_cnt(),
                        answer->timestamp()});
  };
}

}  // namespace

void MilvusClient::Insert(const std::string& database, const Slices& request,
                          MilvusDone<Result<MutationCounts>> done) {
  CallMilvus<wire::MutationResult>(*impl_->channel, "Insert", kWrite, request, database,
                                   kWriteTimeout, Counted(std::move(done)));
}

void MilvusClient::Upsert(const std::string& database, const Slices& request,
                          MilvusDone<Result<MutationCounts>> done) {
  CallMilvus<wire::MutationResult>(*impl_->channel, "Upsert", kWrite, request, database,
                                   kWriteTimeout, Counted(std::move(done)));
}

void MilvusClient::Delete(const TargetName& name, const std::string& partition,
                          const std::string& expression, MilvusDone<Result<MutationCounts>> done) {
  auto request = Named<wire::DeleteRequest>(name);
  request.set_partition_name(partition);
  request.set_expr(expression);
  CallMilvus<wire::MutationResult>(*impl_->channel, "Delete", kWrite, request, name.database,
                                   kWriteTimeout, Counted(std::move(done)));
}

void MilvusClient::ReplicateMessage(const Slices& request, MilvusDone<Result<std::string>> done) {
  CallMilvus<wire::ReplicateMessageResponse>(
      *impl_->channel, "ReplicateMessage", kWrite, request, "", kWriteTimeout,
      [done = std::move(done)](Result<wire::ReplicateMessageResponse> answer) {
        if (!answer) return done(answer.error());
        done(answer->position());
      });
}

}  // namespace cdc
