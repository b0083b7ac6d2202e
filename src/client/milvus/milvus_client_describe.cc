// Reading a collection of the target: several calls joined into one value.
#include <atomic>
#include <mutex>

#include "client/milvus/milvus_client_impl.h"
#include "client/milvus/schema_codec.h"

namespace cdc {
namespace {

using enum MilvusCallClass;
using Description = std::optional<TargetCollection>;

enum LoadStateNumber : int32_t { kLoading = 2, kLoaded = 3 };

template <typename Request>
Request Named(const TargetName& name) {
  Request request;
  request.set_db_name(name.database);
  request.set_collection_name(name.collection);
  return request;
}

// The calls that follow DescribeCollection, in flight together. The last answer hands over.
class DescribeJob : public std::enable_shared_from_this<DescribeJob> {
 public:
  DescribeJob(MilvusClient& client, MilvusChannel& channel, TargetCollection collection,
              MilvusDone<Result<Description>> done)
      : client_(client),
        channel_(channel),
        collection_(std::move(collection)),
        done_(std::move(done)) {}

  void Start() {
    Join join(shared_from_this());
    auto self = shared_from_this();
    client_.ShowPartitions(collection_.name, [self, join](auto answer) {
      std::lock_guard lock(self->mutex_);
      if (!answer) return self->Fail(answer.error());
      self->collection_.partitions = *std::move(answer);
      self->AskLoadState(join);
    });
    client_.DescribeIndexes(collection_.name, [self, join](auto answer) {
      std::lock_guard lock(self->mutex_);
      if (!answer) return self->Fail(answer.error());
      self->collection_.indexes = *std::move(answer);
    });
    if (collection_.IsMilvusLite()) AskAliases(join);
  }

 private:
  // Copies are held by every call in flight; the last one to go reports.
  class Join {
   public:
    explicit Join(std::shared_ptr<DescribeJob> job)
        : token_(job.get(), [job](DescribeJob* j) { j->Report(); }) {}

   private:
    std::shared_ptr<DescribeJob> token_;
  };

  void Fail(const Error& error) {
    if (!error_) error_ = error;
  }

  void Report() {
    if (error_ && error_->kind == ErrorKind::kNotFound) return done_(Description());
    if (error_) return done_(*error_);
    const size_t loaded = collection_.loaded_partitions.size();
    if (collection_.load == LoadState::Kind::kPartitions && loaded == 0) {
      collection_.load = LoadState::Kind::kNone;
      collection_.loading = false;
    } else if (loaded > 0 && loaded == collection_.partitions.size()) {
      collection_.load = LoadState::Kind::kCollection;
      collection_.loaded_partitions.clear();
    }
    done_(Description(std::move(collection_)));
  }

  // milvus-lite lists aliases in a call of their own; it is the one without channels.
  void AskAliases(Join join) {
    CallMilvus<wire::ListAliasesResponse>(
        channel_, "ListAliases", kRead, Named<wire::ListAliasesRequest>(collection_.name),
        collection_.name.database, kReadTimeout,
        [self = shared_from_this(), join](Result<wire::ListAliasesResponse> answer) {
          std::lock_guard lock(self->mutex_);
          if (!answer && answer.error().kind == ErrorKind::kUnsupported) return;
          if (!answer) return self->Fail(answer.error());
          self->collection_.aliases.insert(answer->aliases().begin(), answer->aliases().end());
        });
  }

  void AskLoadState(Join join) {
    AskLoadState("", [self = shared_from_this(), join](int32_t state) {
      if (state != kLoading && state != kLoaded) return;
      self->collection_.loading = state == kLoading;
      // Only whole collections are loaded there.
      if (self->collection_.IsMilvusLite() || self->collection_.schema.PartitionKey()) {
        self->collection_.load = LoadState::Kind::kCollection;
        return;
      }
      self->collection_.load = LoadState::Kind::kPartitions;
      for (const auto& [partition, id] : self->collection_.partitions) {
        self->AskLoadState(partition, [self, join, name = partition](int32_t of_partition) {
          if (of_partition == kLoading || of_partition == kLoaded) {
            self->collection_.loaded_partitions.insert(name);
          }
        });
      }
    });
  }

  // `got` runs under the lock.
  void AskLoadState(const std::string& partition, std::function<void(int32_t)> got) {
    auto request = Named<wire::LoadProgressRequest>(collection_.name);
    if (!partition.empty()) request.add_partition_names(partition);
    CallMilvus<wire::LoadStateResponse>(
        channel_, "GetLoadState", kRead, request, collection_.name.database, kReadTimeout,
        [self = shared_from_this(), got](Result<wire::LoadStateResponse> answer) {
          std::lock_guard lock(self->mutex_);
          if (!answer) return self->Fail(answer.error());
          got(answer->state());
        });
  }

  MilvusClient& client_;
  MilvusChannel& channel_;
  std::recursive_mutex mutex_;
  TargetCollection collection_;
  std::optional<Error> error_;
  MilvusDone<Result<Description>> done_;
};

// A lasting id for a partition of milvus-lite, which has none: FNV-1a of its name, never 0.
PartitionId StandInId(const std::string& partition) {
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : partition) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ULL;
  return static_cast<PartitionId>((hash >> 1) | 1);
}

TargetCollection FromWire(const TargetName& name, const wire::DescribeCollectionResponse& answer) {
  TargetCollection collection;
  collection.name = name;
  collection.id = answer.collection_id() != 0 ? answer.collection_id() : 1;
  collection.created_ts = answer.created_timestamp();
  collection.schema = SchemaFromWire(answer.schema());
  collection.schema.name = name.collection;
  collection.consistency_level = answer.consistency_level();
  collection.vchannels.assign(answer.virtual_channel_names().begin(),
                              answer.virtual_channel_names().end());
  collection.pchannels.assign(answer.physical_channel_names().begin(),
                              answer.physical_channel_names().end());
  collection.properties = KeyValuesFromWire(answer.properties());
  collection.aliases.insert(answer.aliases().begin(), answer.aliases().end());
  return collection;
}

// Milvus lists the asked name among the aliases; milvus-lite answers with the collection's name.
bool IsAlias(const TargetName& name, const wire::DescribeCollectionResponse& answer) {
  for (const std::string& alias : answer.aliases()) {
    if (alias == name.collection) return true;
  }
  return !answer.collection_name().empty() && answer.collection_name() != name.collection;
}

}  // namespace

void MilvusClient::Describe(const TargetName& name, MilvusDone<Result<Description>> done) {
  CallMilvus<wire::DescribeCollectionResponse>(
      *impl_->channel, "DescribeCollection", kRead, Named<wire::DescribeCollectionRequest>(name),
      name.database, kReadTimeout,
      [this, name, done = std::move(done)](Result<wire::DescribeCollectionResponse> answer) {
        if (!answer) {
          if (answer.error().kind == ErrorKind::kNotFound) return done(Description());
          return done(answer.error());
        }
        if (IsAlias(name, *answer)) return done(Description());
        std::make_shared<DescribeJob>(*this, *impl_->channel, FromWire(name, *answer), done)
            ->Start();
      });
}

void MilvusClient::Resolve(const TargetName& name,
                           MilvusDone<Result<std::optional<MilvusNameTarget>>> done) {
  CallMilvus<wire::DescribeCollectionResponse>(
      *impl_->channel, "DescribeCollection", kRead, Named<wire::DescribeCollectionRequest>(name),
      name.database, kReadTimeout,
      [done = std::move(done)](Result<wire::DescribeCollectionResponse> answer) {
        if (!answer && answer.error().kind == ErrorKind::kNotFound) {
          return done(std::optional<MilvusNameTarget>());
        }
        if (!answer) return done(answer.error());
        done(std::optional(MilvusNameTarget{answer->collection_id(), answer->schema().name()}));
      });
}

void MilvusClient::ShowPartitions(const TargetName& name,
                                  MilvusDone<Result<std::map<std::string, PartitionId>>> done) {
  CallMilvus<wire::ShowPartitionsResponse>(
      *impl_->channel, "ShowPartitions", kRead, Named<wire::ShowPartitionsRequest>(name),
      name.database, kReadTimeout,
      [done = std::move(done)](Result<wire::ShowPartitionsResponse> answer) {
        if (!answer) return done(answer.error());
        std::map<std::string, PartitionId> partitions;
        for (int i = 0; i < answer->partition_names_size(); ++i) {
          const std::string& partition = answer->partition_names(i);
          const PartitionId id = i < answer->partition_ids_size() ? answer->partition_ids(i) : 0;
          partitions[partition] = id != 0 ? id : StandInId(partition);
        }
        done(std::move(partitions));
      });
}

void MilvusClient::DescribeIndexes(const TargetName& name,
                                   MilvusDone<Result<std::vector<TargetIndex>>> done) {
  CallMilvus<wire::DescribeIndexResponse>(
      *impl_->channel, "DescribeIndex", kRead, Named<wire::DescribeIndexRequest>(name),
      name.database, kReadTimeout,
      [done = std::move(done)](Result<wire::DescribeIndexResponse> answer) {
        std::vector<TargetIndex> indexes;
        // No index at all is an error for Milvus. A collection that is gone shows in other calls.
        if (!answer && answer.error().kind == ErrorKind::kNotFound) return done(indexes);
        if (!answer) return done(answer.error());
        for (const auto& index : answer->index_descriptions()) {
          indexes.push_back(
              {index.index_name(), index.field_name(), KeyValuesFromWire(index.params())});
        }
        done(std::move(indexes));
      });
}

}  // namespace cdc
