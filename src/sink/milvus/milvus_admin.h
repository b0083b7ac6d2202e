// MilvusAdmin: databases, collections and what hangs on them, on a target Milvus.
//
// Contract: pipeline/ports.h (TargetAdmin). Used on the executor; callbacks run there. The client
// is shared; the executor must outlive it. Nothing blocks.
//
// Replicate mode: collections and partitions are created and dropped with the source's timestamp
// (replicateInfo), so that a standby waits for the drop message in its log. Api mode: auto-id
// collections are created with autoID off, so that keys survive.
//
// A collection that the target's version cannot hold is not created (kUnsupported, naming field,
// type and the version that it needs): target_features.h.
//
// A load is accepted, not finished, when Apply returns; Describe shows its progress. On a standby
// it finishes only while ticks flow. More replicas than the target has room for: loaded with one.
//
// Steps that Milvus does not let be idempotent are made so by looking: creating what exists equal
// and dropping what is gone succeed. A release that must come first ("is loaded") is kRetry.
// milvus-lite differs: it loads whole collections only (load partitions loads the collection,
// release partitions does nothing), names each index after its field, has no ids and no channels,
// and cannot rename into another database (kUnsupported).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/executor.h"
#include "client/milvus/milvus_client.h"
#include "pipeline/ports.h"
#include "sink/milvus/answering.h"

namespace cdc {

class MilvusAdmin final : public TargetAdmin, private Answering {
 public:
  // `mode`: kReplicate or kApi.
  MilvusAdmin(std::shared_ptr<MilvusClient> client, TargetMode mode, Executor* executor);
  ~MilvusAdmin() override;

  void ListDatabases(Callback<Result<std::vector<std::string>>> done) override;
  void Describe(TargetName name, Callback<Result<std::optional<TargetCollection>>> done) override;
  void Apply(DdlStep step, Callback<Status> done) override;

 private:
  void ApplyNow(const DdlStep& step, Done done);
  void ApplyNext();
  void CreateCollection(const DdlStep& step, Done done);
  void CreatePartition(const DdlStep& step, Done done);
  void CreateIndex(const DdlStep& step, Done done);
  void CreateAlias(const DdlStep& step, Done done);
  void Rename(const DdlStep& step, Done done);
  void Load(const DdlStep& step, int32_t replicas, Done done);
  void LoadPartitions(const DdlStep& step, int32_t replicas, Done done);
  Timestamp ReplicateTs(const DdlStep& step) const;

  std::shared_ptr<MilvusClient> client_;
  TargetMode mode_;
  // milvus-lite loses or fails one of two changes that come at once: one at a time there.
  std::optional<bool> milvus_lite_;  // unknown before the first step
  std::string version_;
  std::deque<std::pair<DdlStep, Done>> waiting_;
  bool applying_ = false;
};

}  // namespace cdc
