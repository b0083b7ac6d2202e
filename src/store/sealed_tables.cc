#include "store/sealed_tables.h"

#include <utility>

#include "base/format.h"
#include "base/log.h"

namespace cdc {
namespace {

std::string PlaceOf(const std::string& task) {
  return "token of task " + task;
}

class SealedTables final : public StoreTables {
 public:
  SealedTables(std::unique_ptr<StoreTables> tables, std::unique_ptr<SecretBox> box)
      : tables_(std::move(tables)), box_(std::move(box)) {}

  // Reads all secrets, and seals those that are in clear although there is a key.
  Status Begin() {
    CDC_ASSIGN_OR_RETURN(std::vector<StoredTask> tasks, tables_->ListTasks());
    for (StoredTask& task : tasks) {
      const bool clear = !SecretBox::IsSealed(task.spec.target.token);
      CDC_RETURN_IF_ERROR(OpenToken(&task.spec));
      if (box_ == nullptr || !clear || task.spec.target.token.empty()) continue;
      CDC_RETURN_IF_ERROR(UpdateSpec(task.spec));
      LogInfo("the {} is encrypted in the store from now on", PlaceOf(task.spec.id));
    }
    return OkStatus();
  }

  Result<std::vector<StoredTask>> ListTasks() override {
    CDC_ASSIGN_OR_RETURN(std::vector<StoredTask> tasks, tables_->ListTasks());
    for (StoredTask& task : tasks) CDC_RETURN_IF_ERROR(OpenToken(&task.spec));
    return tasks;
  }
  Result<StoredTask> LoadTask(const std::string& id) override {
    CDC_ASSIGN_OR_RETURN(StoredTask task, tables_->LoadTask(id));
    CDC_RETURN_IF_ERROR(OpenToken(&task.spec));
    return task;
  }
  Status AddTask(const StoredTask& task, const ProgressWrite& first) override {
    StoredTask sealed = task;
    CDC_RETURN_IF_ERROR(SealToken(&sealed.spec));
    return tables_->AddTask(sealed, first);
  }
  Status UpdateSpec(const TaskSpec& spec) override {
    TaskSpec sealed = spec;
    CDC_RETURN_IF_ERROR(SealToken(&sealed));
    return tables_->UpdateSpec(sealed);
  }

  Status UpdateState(const std::string& task, TaskState state, const std::string& reason) override {
    return tables_->UpdateState(task, state, reason);
  }
  Status DeleteTask(const std::string& task) override { return tables_->DeleteTask(task); }
  Result<TaskProgress> LoadProgress(const std::string& task) override {
    return tables_->LoadProgress(task);
  }
  Result<std::map<std::string, Timestamp>> LoadLaneFences(const std::string& target) override {
    return tables_->LoadLaneFences(target);
  }
  std::vector<Status> WriteProgress(const std::vector<const ProgressWrite*>& writes) override {
    return tables_->WriteProgress(writes);
  }

 private:
  Status SealToken(TaskSpec* spec) {
    std::string& token = spec->target.token;
    if (token.empty()) return OkStatus();
    if (box_ == nullptr) {
      if (!SecretBox::IsSealed(token)) return OkStatus();
      return InvalidError("a token cannot begin as encrypted ones do; set " +
                          std::string(kSecretKeyVariable));
    }
    CDC_ASSIGN_OR_RETURN(token, box_->Seal(token, PlaceOf(spec->id)));
    return OkStatus();
  }
  Status OpenToken(TaskSpec* spec) {
    std::string& token = spec->target.token;
    if (!SecretBox::IsSealed(token)) return OkStatus();
    if (box_ == nullptr) {
      return InvalidError(
          Format("the {} is encrypted in the store; set {} to the key that it was "
                 "stored with",
                 PlaceOf(spec->id), kSecretKeyVariable));
    }
    CDC_ASSIGN_OR_RETURN(token, box_->Open(token, PlaceOf(spec->id)));
    return OkStatus();
  }

  const std::unique_ptr<StoreTables> tables_;
  const std::unique_ptr<SecretBox> box_;
};

}  // namespace

Result<std::unique_ptr<StoreTables>> OpenSealedTables(std::unique_ptr<StoreTables> tables,
                                                      std::unique_ptr<SecretBox> box) {
  auto sealed = std::make_unique<SealedTables>(std::move(tables), std::move(box));
  CDC_RETURN_IF_ERROR(sealed->Begin());
  return std::unique_ptr<StoreTables>(std::move(sealed));
}

}  // namespace cdc
