#include "store/kv_tables.h"

#include <set>
#include <utility>

#include "store/kv_records.h"
#include "store/kv_writer.h"

namespace cdc {
namespace {

using Conditions = std::vector<KvCondition>;

KvCondition Present(const std::string& key) {
  return {key, KvCondition::Kind::kPresent, {}};
}

class KvTables final : public StoreTables {
 public:
  explicit KvTables(std::unique_ptr<KvDb> db) : db_(std::move(db)), writer_(db_.get()) {}

  Status Open() {
    CDC_RETURN_IF_ERROR(writer_.TakeOver());
    return Ready();
  }

  Result<std::vector<StoredTask>> ListTasks() override;
  Result<StoredTask> LoadTask(const std::string& task) override;
  Status AddTask(const StoredTask& task, const ProgressWrite& first) override;
  Status UpdateSpec(const TaskSpec& spec) override;
  Status UpdateState(const std::string& task, TaskState state, const std::string& reason) override;
  Status DeleteTask(const std::string& task) override;
  Result<TaskProgress> LoadProgress(const std::string& task) override;
  Result<std::map<std::string, Timestamp>> LoadLaneFences(const std::string& target) override;
  std::vector<Status> WriteProgress(const std::vector<const ProgressWrite*>& writes) override;

 private:
  // Several progress writes that are made in one commit.
  struct Batch {
    KvChanges changes;
    Conditions conditions;
    size_t end = 0;  // behind its last write
  };

  // The beginning of every call: brings to an end what an earlier one left open. A task whose
  // addition was reported as failed is removed if it was added after all.
  Status Ready();
  Status LoadIndex();
  Status Erase(const std::string& task);
  Result<kv::TaskRecord> LoadRecord(const std::string& task);
  Batch TakeBatch(const std::vector<const ProgressWrite*>& writes, size_t begin,
                  std::vector<Status>* outcomes) const;

  const std::unique_ptr<KvDb> db_;
  KvWriter writer_;
  std::map<std::string, uint64_t> tasks_;  // id -> order
  bool index_stale_ = true;                // tasks_ must be read again
};

Status KvTables::Ready() {
  CDC_RETURN_IF_ERROR(writer_.Ready());
  index_stale_ |= writer_.TakeSurprise();
  if (index_stale_) CDC_RETURN_IF_ERROR(LoadIndex());
  const std::string undo = writer_.late_tag();
  if (tasks_.contains(undo)) CDC_RETURN_IF_ERROR(Erase(undo));
  writer_.ForgetLateTag();
  return OkStatus();
}

Status KvTables::LoadIndex() {
  CDC_ASSIGN_OR_RETURN(const auto stored, db_->List(kv::kTaskPrefix));
  tasks_.clear();
  for (const auto& [key, value] : stored) {
    CDC_ASSIGN_OR_RETURN(const kv::TaskRecord record, kv::DecodeTask(value));
    tasks_[record.id] = record.order;
  }
  index_stale_ = false;
  return OkStatus();
}

// ---- tasks --------------------------------------------------------------------------------------

Result<std::vector<StoredTask>> KvTables::ListTasks() {
  CDC_RETURN_IF_ERROR(Ready());
  CDC_ASSIGN_OR_RETURN(const auto records, db_->List(kv::kTaskPrefix));
  CDC_ASSIGN_OR_RETURN(const auto specs, db_->List(kv::kSpecsPrefix));
  std::map<uint64_t, StoredTask> tasks;  // by order
  for (const auto& [key, value] : records) {
    CDC_ASSIGN_OR_RETURN(kv::TaskRecord record, kv::DecodeTask(value));
    const uint64_t order = record.order;
    CDC_ASSIGN_OR_RETURN(tasks[order], kv::JoinTask(std::move(record), specs));
  }
  std::vector<StoredTask> list;
  for (auto& [order, task] : tasks) list.push_back(std::move(task));
  return list;
}

Result<kv::TaskRecord> KvTables::LoadRecord(const std::string& task) {
  CDC_RETURN_IF_ERROR(Ready());
  CDC_ASSIGN_OR_RETURN(const auto stored, db_->Get(kv::TaskKey(task)));
  if (stored) return kv::DecodeTask(*stored);
  tasks_.erase(task);
  return NoSuchTask(task);
}

Result<StoredTask> KvTables::LoadTask(const std::string& task) {
  CDC_ASSIGN_OR_RETURN(kv::TaskRecord record, LoadRecord(task));
  CDC_ASSIGN_OR_RETURN(const auto parts, db_->List(kv::SpecPrefix(record.order)));
  return kv::JoinTask(std::move(record), parts);
}

Status KvTables::AddTask(const StoredTask& task, const ProgressWrite& first) {
  CDC_RETURN_IF_ERROR(Ready());
  const std::string& id = task.spec.id;
  if (tasks_.contains(id)) return TaskExistsAlready(id);
  const uint64_t order = writer_.created() + 1;
  KvChanges changes;
  kv::TaskRecord record{id, order, task.state, task.reason, task.spec.target.token, 0};
  record.spec_parts = kv::PutSpec(order, task.spec, &changes);
  changes.keys[kv::TaskKey(id)] = kv::EncodeTask(record);
  kv::PutProgress(order, first, &changes);
  const KvCondition absent{kv::TaskKey(id), KvCondition::Kind::kAbsent, {}};
  CDC_RETURN_IF_ERROR(writer_.Write(std::move(changes), {absent}, order, id));
  tasks_[id] = order;
  return OkStatus();
}

Status KvTables::UpdateSpec(const TaskSpec& spec) {
  CDC_ASSIGN_OR_RETURN(kv::TaskRecord record, LoadRecord(spec.id));
  KvChanges changes;
  const uint64_t before = record.spec_parts;
  record.spec_parts = kv::PutSpec(record.order, spec, &changes);
  for (uint64_t part = record.spec_parts; part < before; ++part) {
    changes.keys[kv::SpecKey(record.order, part)] = std::nullopt;
  }
  record.token = spec.target.token;
  const std::string key = kv::TaskKey(spec.id);
  changes.keys[key] = kv::EncodeTask(record);
  return writer_.Write(std::move(changes), {Present(key)}, writer_.created());
}

Status KvTables::UpdateState(const std::string& task, TaskState state, const std::string& reason) {
  CDC_ASSIGN_OR_RETURN(kv::TaskRecord record, LoadRecord(task));
  record.state = state;
  record.reason = reason;
  const std::string key = kv::TaskKey(task);
  KvChanges changes;
  changes.keys[key] = kv::EncodeTask(record);
  return writer_.Write(std::move(changes), {Present(key)}, writer_.created());
}

Status KvTables::DeleteTask(const std::string& task) {
  CDC_RETURN_IF_ERROR(Ready());
  if (!tasks_.contains(task)) return NoSuchTask(task);
  return Erase(task);
}

Status KvTables::Erase(const std::string& task) {
  const uint64_t order = tasks_.at(task);
  KvChanges changes;
  changes.keys[kv::TaskKey(task)] = std::nullopt;
  changes.erased_prefixes = {kv::SpecPrefix(order), kv::ProgressPrefix(order)};
  CDC_RETURN_IF_ERROR(writer_.Write(std::move(changes), {}, writer_.created()));
  tasks_.erase(task);
  return OkStatus();
}

// ---- progress -----------------------------------------------------------------------------------

Result<TaskProgress> KvTables::LoadProgress(const std::string& task) {
  CDC_ASSIGN_OR_RETURN(const kv::TaskRecord record, LoadRecord(task));
  const std::string prefix = kv::ProgressPrefix(record.order);
  CDC_ASSIGN_OR_RETURN(const auto stored, db_->List(prefix));
  TaskProgress progress;
  for (const auto& [key, value] : stored) {
    CDC_RETURN_IF_ERROR(kv::ReadProgress(key.substr(prefix.size()), value, &progress));
  }
  return progress;
}

Result<std::map<std::string, Timestamp>> KvTables::LoadLaneFences(const std::string& target) {
  CDC_RETURN_IF_ERROR(Ready());
  CDC_ASSIGN_OR_RETURN(const auto stored, db_->List(kv::LanesPrefix(target)));
  std::map<std::string, Timestamp> fences;
  for (const auto& [key, value] : stored) {
    CDC_ASSIGN_OR_RETURN(const LaneFence fence, kv::DecodeLane(value));
    fences[fence.lane] = fence.fence;
  }
  return fences;
}

// As many of the writes as one commit takes, at least one; a wrong one gets its outcome.
KvTables::Batch KvTables::TakeBatch(const std::vector<const ProgressWrite*>& writes, size_t begin,
                                    std::vector<Status>* outcomes) const {
  Batch batch;
  size_t operations = 0, bytes = 0;
  std::set<std::string> named;
  for (batch.end = begin; batch.end < writes.size(); ++batch.end) {
    const ProgressWrite& write = *writes[batch.end];
    const auto task = tasks_.find(write.task);
    Status& outcome = (*outcomes)[batch.end];
    outcome = CheckWrite(write);
    if (outcome.ok() && !write.task.empty() && task == tasks_.end()) {
      outcome = NoSuchTask(write.task);
    }
    if (!outcome.ok()) continue;
    KvChanges changes;
    kv::PutProgress(task == tasks_.end() ? 0 : task->second, write, &changes);
    operations += changes.operations() + 1;  // and its condition
    bytes += KvWriter::BytesOf(changes);
    if (!batch.changes.keys.empty() && !writer_.Fits(operations, bytes)) break;
    for (auto& [key, value] : changes.keys) batch.changes.keys[key] = std::move(value);
    if (!write.task.empty() && named.insert(write.task).second) {
      batch.conditions.push_back(Present(kv::TaskKey(write.task)));
    }
  }
  return batch;
}

std::vector<Status> KvTables::WriteProgress(const std::vector<const ProgressWrite*>& writes) {
  std::vector<Status> outcomes(writes.size());
  size_t done = 0;
  bool again = true;
  while (done < writes.size()) {
    Status status = Ready();
    Batch batch;
    if (status.ok()) {
      batch = TakeBatch(writes, done, &outcomes);
      if (!batch.changes.keys.empty() || !batch.conditions.empty()) {
        status =
            writer_.Write(std::move(batch.changes), std::move(batch.conditions), writer_.created());
      }
    }
    if (!status.ok() && status.error().kind == ErrorKind::kNotFound && again) {
      again = false;  // a task was removed behind our back: tell those that write to it
      continue;
    }
    if (!status.ok()) {
      for (size_t i = done; i < writes.size(); ++i) outcomes[i] = status;
      return outcomes;
    }
    done = batch.end;
  }
  return outcomes;
}

}  // namespace

Result<std::unique_ptr<StoreTables>> OpenKvTables(std::unique_ptr<KvDb> db) {
  auto tables = std::make_unique<KvTables>(std::move(db));
  CDC_RETURN_IF_ERROR(tables->Open());
  return std::unique_ptr<StoreTables>(std::move(tables));
}

}  // namespace cdc
