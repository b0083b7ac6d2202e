#include "sink/milvus/milvus_admin.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "sink/milvus/target_features.h"

namespace cdc {
namespace {

int64_t PartitionCount(const SourceCollection& source) {
  if (source.schema.PartitionKey() == nullptr) return 0;
  return std::count_if(source.partitions.begin(), source.partitions.end(), [](const auto& entry) {
    return entry.second.state == ObjectState::kCreated;
  });
}

bool LacksNodes(const Error& error) {
  return error.message.find("nodes not enough") != std::string::npos ||
         error.message.find("node not enough") != std::string::npos;
}

}  // namespace

MilvusAdmin::MilvusAdmin(std::shared_ptr<MilvusClient> client, TargetMode mode, Executor* executor)
    : Answering(executor), client_(std::move(client)), mode_(mode) {}

MilvusAdmin::~MilvusAdmin() = default;

Timestamp MilvusAdmin::ReplicateTs(const DdlStep& step) const {
  if (mode_ != TargetMode::kReplicate) return 0;
  return step.ts == 0 && step.source != nullptr ? step.source->create_ts : step.ts;
}

void MilvusAdmin::ListDatabases(Callback<Result<std::vector<std::string>>> done) {
  client_->ListDatabases(Here<Result<std::vector<std::string>>>(std::move(done)));
}

void MilvusAdmin::Describe(TargetName name,
                           Callback<Result<std::optional<TargetCollection>>> done) {
  client_->Describe(name, Here<Result<std::optional<TargetCollection>>>(std::move(done)));
}

void MilvusAdmin::Apply(DdlStep step, Callback<Status> done) {
  if (milvus_lite_ && !*milvus_lite_) return ApplyNow(step, std::move(done));
  if (milvus_lite_) {
    waiting_.emplace_back(std::move(step), std::move(done));
    return ApplyNext();
  }
  client_->GetVersion(Here<Result<std::string>>([this, step, done](Result<std::string> version) {
    if (!version) return done(version.error());
    milvus_lite_ = version->find("milvus_lite") != std::string::npos;
    version_ = *version;
    Apply(step, done);
  }));
}

void MilvusAdmin::ApplyNext() {
  if (applying_ || waiting_.empty()) return;
  applying_ = true;
  auto [step, done] = std::move(waiting_.front());
  waiting_.pop_front();
  ApplyNow(step, [this, done = std::move(done)](const Status& status) {
    applying_ = false;
    done(status);
    ApplyNext();
  });
}

void MilvusAdmin::ApplyNow(const DdlStep& step, Done done) {
  using Kind = DdlStep::Kind;
  MilvusClient& client = *client_;
  switch (step.kind) {
    case Kind::kCreateDatabase:
      return client.CreateDatabase(step.name.database, Forgive(ErrorKind::kAlreadyExists, done));
    case Kind::kDropDatabase:
      return client.DropDatabase(step.name.database, Forgive(ErrorKind::kNotFound, done));
    case Kind::kCreateCollection:
      return CreateCollection(step, std::move(done));
    case Kind::kDropCollection:
      return client.DropCollection(step.name, ReplicateTs(step),
                                   Forgive(ErrorKind::kNotFound, done));
    case Kind::kRenameCollection:
      return Rename(step, std::move(done));
    case Kind::kAlterProperties:
      return client.AlterProperties(step.name, step.properties, Here<Status>(done));
    case Kind::kCreatePartition:
      return CreatePartition(step, std::move(done));
    case Kind::kDropPartition:
      return client.DropPartition(step.name, step.partition, ReplicateTs(step),
                                  Forgive(ErrorKind::kNotFound, done));
    case Kind::kCreateIndex:
      return CreateIndex(step, std::move(done));
    case Kind::kDropIndex:
      return client.DropIndex(step.name, step.field, step.index,
                              Forgive(ErrorKind::kNotFound, done));
    case Kind::kCreateAlias:
      return CreateAlias(step, std::move(done));
    case Kind::kAlterAlias:
      return client.AlterAlias(step.name, step.alias, Here<Status>(done));
    case Kind::kDropAlias:
      return client.DropAlias(step.name.database, step.alias, Forgive(ErrorKind::kNotFound, done));
    case Kind::kLoadCollection:
      return Load(step, std::max(step.replica_number, 1), std::move(done));
    case Kind::kReleaseCollection:
      return client.ReleaseCollection(step.name, Forgive(ErrorKind::kNotFound, done));
    case Kind::kLoadPartitions:
      return LoadPartitions(step, std::max(step.replica_number, 1), std::move(done));
    case Kind::kReleasePartitions:
      return client.ReleasePartitions(step.name, step.partition_names, Here<Status>(done));
    case Kind::kFlush:
      return client.Flush(step.name, Here<Status>(done));
  }
}

void MilvusAdmin::CreateCollection(const DdlStep& step, Done done) {
  const SourceCollection& source = *step.source;
  if (std::string missing = MissingFeature(source.schema, version_); !missing.empty()) {
    return Here<Status>(done)(FatalError(missing, ErrorKind::kUnsupported));
  }
  CreateCollectionCall call;
  call.name = step.name;
  call.schema = source.schema;
  call.force_auto_id_off = mode_ == TargetMode::kApi;
  call.shards = std::max<int32_t>(1, static_cast<int32_t>(source.vchannels.size()));
  call.consistency_level = source.consistency_level;
  call.properties = source.properties;
  call.num_partitions = PartitionCount(source);
  call.replicate_ts = ReplicateTs(step);
  auto created = [this, step, done](Status status) {
    if (status || status.error().kind != ErrorKind::kAlreadyExists) return done(status);
    // Milvus itself accepts an equal collection; milvus-lite does not look.
    Describe(step.name, [this, step, done, status](auto found) {
      if (!found || !*found) return done(status);
      const std::string difference =
          SchemaDifference(step.source->schema, (*found)->schema, mode_ == TargetMode::kApi);
      done(difference.empty() ? OkStatus() : Status(status.error().Prefixed(difference)));
    });
  };
  client_->CreateCollection(call, Here<Status>(created));
}

void MilvusAdmin::CreatePartition(const DdlStep& step, Done done) {
  auto created = [this, step, done](Status status) {
    if (status || status.error().IsRetry() || status.error().kind == ErrorKind::kNotFound) {
      return done(status);
    }
    // milvus-lite refuses an existing partition with its bare name.
    auto look = Here<Result<std::map<std::string, PartitionId>>>(
        [step, done, status](Result<std::map<std::string, PartitionId>> partitions) {
          done(partitions && partitions->contains(step.partition) ? OkStatus() : status);
        });
    client_->ShowPartitions(step.name, look);
  };
  client_->CreatePartition(step.name, step.partition, ReplicateTs(step), Here<Status>(created));
}

void MilvusAdmin::CreateIndex(const DdlStep& step, Done done) {
  auto created = [this, step, done](Status status) {
    if (status || status.error().kind != ErrorKind::kAlreadyExists) return done(status);
    auto look = Here<Result<std::vector<TargetIndex>>>(
        [step, done, status](Result<std::vector<TargetIndex>> indexes) {
          const bool equal =
              indexes && std::any_of(indexes->begin(), indexes->end(), [&](const TargetIndex& i) {
                return i.field == step.field && SameIndexParams(i.params, step.properties);
              });
          done(equal ? OkStatus() : status);
        });
    client_->DescribeIndexes(step.name, look);
  };
  client_->CreateIndex(step.name, step.field, step.index, step.properties, Here<Status>(created));
}

void MilvusAdmin::CreateAlias(const DdlStep& step, Done done) {
  auto created = [this, step, done](Status status) {
    if (status || status.error().kind != ErrorKind::kAlreadyExists) return done(status);
    using Target = Result<std::optional<MilvusNameTarget>>;
    auto look = Here<Target>([step, done, status](Target target) {
      const bool equal = target && target->has_value() &&
                         (*target)->collection == step.name.collection &&
                         step.alias != step.name.collection;
      done(equal ? OkStatus() : status);
    });
    client_->Resolve({step.name.database, step.alias}, look);
  };
  client_->CreateAlias(step.name, step.alias, Here<Status>(created));
}

void MilvusAdmin::Rename(const DdlStep& step, Done done) {
  if (step.name.database == step.new_name.database) {
    return client_->RenameCollection(step.name, step.new_name, Here<Status>(done));
  }
  if (*milvus_lite_) {  // it would ignore the other database and rename within its own
    return Here<Status>(done)(FatalError(
        "milvus-lite cannot rename a collection into another database", ErrorKind::kUnsupported));
  }
  client_->RenameCollection(step.name, step.new_name, Here<Status>(done));
}

void MilvusAdmin::Load(const DdlStep& step, int32_t replicas, Done done) {
  auto loaded = [this, step, replicas, done](Status status) {
    if (status || replicas == 1 || !LacksNodes(status.error())) return done(status);
    LogWarn("{}: the target has no room for {} replicas, loading one", ToString(step), replicas);
    Load(step, 1, done);
  };
  client_->LoadCollection(step.name, replicas, Here<Status>(loaded));
}

void MilvusAdmin::LoadPartitions(const DdlStep& step, int32_t replicas, Done done) {
  auto loaded = [this, step, replicas, done](Status status) {
    if (status || replicas == 1 || !LacksNodes(status.error())) return done(status);
    LogWarn("{}: the target has no room for {} replicas, loading one", ToString(step), replicas);
    LoadPartitions(step, 1, done);
  };
  client_->LoadPartitions(step.name, step.partition_names, replicas, Here<Status>(loaded));
}

}  // namespace cdc
