// MilvusClient: the calls of a target Milvus (2.3 to 3.x, milvus-lite) that replication needs.
//
// Shared by whoever calls it; any thread; nothing blocks but Await(). Every call has a deadline. A
// callback runs on a gRPC thread, exactly once, possibly before the call has returned: post from it
// to an executor, and never destroy the client in it. The destructor cancels calls in flight (they
// end with kUnknownOutcome or kUnavailable) and waits for their callbacks. One client is one
// connection: whoever must be able to give up a connection opens a client of its own.
//
// Errors are translated in milvus_status.cc. The important kinds: kNotFound, kAlreadyExists,
// kUnavailable (surely not applied), kUnknownOutcome (a write that may have been applied),
// kStandby, kNotStandby, kUnsupported, kInvalid, kLimit (the call is larger than the target takes;
// fatal: surely not applied, retry: unknown outcome). No text ever holds the token.
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/wire.h"
#include "model/rbac.h"
#include "model/target.h"
#include "model/task.h"

namespace cdc {

template <typename T>
using MilvusDone = std::function<void(T)>;

// What an alias or collection name stands for.
struct MilvusNameTarget {
  CollectionId id = 0;
  std::string collection;  // the collection's own name
};

struct CreateCollectionCall {
  TargetName name;
  CollectionSchema schema;
  bool force_auto_id_off = false;
  int32_t shards = 1;
  int32_t consistency_level = 0;
  KeyValues properties;
  int64_t num_partitions = 0;  // of a partition-key collection, else 0
  Timestamp replicate_ts = 0;  // != 0: isReplicate with this timestamp (standby only)
};

struct MutationCounts {
  int64_t inserted = 0;
  int64_t deleted = 0;
  int64_t upserted = 0;
  Timestamp ts = 0;  // the target's timestamp of the write
};

class MilvusClient {
 public:
  // Errors: kInvalid (certificate files). Does not connect: the first call does.
  static Result<std::shared_ptr<MilvusClient>> Open(const TargetAddress& address);
  ~MilvusClient();
  MilvusClient(const MilvusClient&) = delete;
  MilvusClient& operator=(const MilvusClient&) = delete;

  // ---- the server ----
  // "v2.3.5-lite", "milvus_lite-3.2.2", ... Ours is Milvus' own answer, not the SDK's.
  void GetVersion(MilvusDone<Result<std::string>> done);
  // Asks what replicate calls would meet, without side effects (a ReplicateMessage that names no
  // channel). kReplicate: a standby; kApi: it takes plain writes only. Errors: unreachable, auth.
  void ProbeMode(MilvusDone<Result<TargetMode>> done);

  // ---- databases ----
  void ListDatabases(MilvusDone<Result<std::vector<std::string>>> done);
  void CreateDatabase(const std::string& database, MilvusDone<Status> done);
  void DropDatabase(const std::string& database, MilvusDone<Status> done);

  // ---- collections ----
  // DescribeCollection, ShowPartitions, DescribeIndex, GetLoadState and (milvus-lite) ListAliases
  // in one value; nullopt: no such collection, or the name is an alias. Load state: kCollection
  // when all partitions are loaded or loading (Milvus does not tell the two kinds apart then).
  void Describe(const TargetName& name, MilvusDone<Result<std::optional<TargetCollection>>> done);
  // nullopt: neither collection nor alias of that name.
  void Resolve(const TargetName& name, MilvusDone<Result<std::optional<MilvusNameTarget>>> done);
  void CreateCollection(const CreateCollectionCall& call, MilvusDone<Status> done);
  void DropCollection(const TargetName& name, Timestamp replicate_ts, MilvusDone<Status> done);
  void RenameCollection(const TargetName& from, const TargetName& to, MilvusDone<Status> done);
  void AlterProperties(const TargetName& name, const KeyValues& properties,
                       MilvusDone<Status> done);
  void Flush(const TargetName& name, MilvusDone<Status> done);

  // ---- partitions, indexes, aliases, load ----
  void CreatePartition(const TargetName& name, const std::string& partition, Timestamp replicate_ts,
                       MilvusDone<Status> done);
  void DropPartition(const TargetName& name, const std::string& partition, Timestamp replicate_ts,
                     MilvusDone<Status> done);
  void ShowPartitions(const TargetName& name,
                      MilvusDone<Result<std::map<std::string, PartitionId>>> done);
  void CreateIndex(const TargetName& name, const std::string& field, const std::string& index,
                   const KeyValues& params, MilvusDone<Status> done);
  void DropIndex(const TargetName& name, const std::string& field, const std::string& index,
                 MilvusDone<Status> done);
  void DescribeIndexes(const TargetName& name, MilvusDone<Result<std::vector<TargetIndex>>> done);
  void CreateAlias(const TargetName& name, const std::string& alias, MilvusDone<Status> done);
  void AlterAlias(const TargetName& name, const std::string& alias, MilvusDone<Status> done);
  void DropAlias(const std::string& database, const std::string& alias, MilvusDone<Status> done);
  // A load is accepted, not finished, when these return; the state shows in Describe.
  void LoadCollection(const TargetName& name, int32_t replicas, MilvusDone<Status> done);
  void ReleaseCollection(const TargetName& name, MilvusDone<Status> done);
  void LoadPartitions(const TargetName& name, const std::vector<std::string>& partitions,
                      int32_t replicas, MilvusDone<Status> done);
  void ReleasePartitions(const TargetName& name, const std::vector<std::string>& partitions,
                         MilvusDone<Status> done);

  // ---- users, roles, grants: passwords are base64, and in no error's text ----
  // Each user with its roles.
  void ListUsers(MilvusDone<Result<std::map<std::string, std::set<std::string>>>> done);
  // kAlreadyExists: there is one of that name.
  void CreateUser(const std::string& user, const std::string& password, MilvusDone<Status> done);
  // With the bcrypt hash of its password: Milvus 2.5, and 2.4 since 2.4.10; else kUnsupported.
  void RestoreUser(const std::string& user, const std::string& hash, MilvusDone<Status> done);
  // kConflict: its password is not `old_password`.
  void ChangePassword(const std::string& user, const std::string& old_password,
                      const std::string& password, MilvusDone<Status> done);
  void DropUser(const std::string& user, MilvusDone<Status> done);
  void ListRoles(MilvusDone<Result<std::set<std::string>>> done);
  void CreateRole(const std::string& role, MilvusDone<Status> done);
  // Refused while it has grants.
  void DropRole(const std::string& role, MilvusDone<Status> done);
  enum class Op { kAdd, kRemove };
  void ChangeBinding(Op op, const std::string& user, const std::string& role,
                     MilvusDone<Status> done);
  // Those of one role in one database. "*": those of every database; before some 2.4 only those
  // that were granted on "*".
  void ListGrants(const std::string& role, const std::string& database,
                  MilvusDone<Result<std::set<RbacGrant>>> done);
  // A privilege group, or a global privilege on one name, is granted by the call of Milvus 2.5
  // (2.4.18); kUnsupported before.
  void ChangeGrant(Op op, const RbacGrant& grant, MilvusDone<Status> done);
  // Milvus 2.5 and 2.4.16; kUnsupported before. Those of Milvus itself are among them.
  void ListPrivilegeGroups(MilvusDone<Result<std::map<std::string, std::set<std::string>>>> done);
  void CreatePrivilegeGroup(const std::string& group, MilvusDone<Status> done);
  // Refused while it is granted.
  void DropPrivilegeGroup(const std::string& group, MilvusDone<Status> done);
  void ChangePrivilegeGroup(Op op, const std::string& group,
                            const std::set<std::string>& privileges, MilvusDone<Status> done);

  // ---- rows: requests come ready as bytes (message_codec.h) ----
  void Insert(const std::string& database, const Slices& request,
              MilvusDone<Result<MutationCounts>> done);
  void Upsert(const std::string& database, const Slices& request,
              MilvusDone<Result<MutationCounts>> done);
  // `partition` empty: all partitions.
  void Delete(const TargetName& name, const std::string& partition, const std::string& expression,
              MilvusDone<Result<MutationCounts>> done);
  // The result is the position text that the target answers.
  void ReplicateMessage(const Slices& request, MilvusDone<Result<std::string>> done);

  const std::string& endpoint() const;  // "http://host:port", for messages

 private:
  struct Impl;
  explicit MilvusClient(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

// Starts a call and waits for its answer: Await<Status>([&](auto done) { client.X(..., done); }).
// Blocks up to the call's deadline. Not from a gRPC or an executor thread.
template <typename T, typename Start>
T Await(Start start) {
  auto promise = std::make_shared<std::promise<T>>();
  auto future = promise->get_future();
  start(MilvusDone<T>([promise](T value) { promise->set_value(std::move(value)); }));
  return future.get();
}

}  // namespace cdc
