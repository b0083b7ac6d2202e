// StoreTables: what a Store keeps, read and written by one thread at a time. ThreadedStore makes a
// Store of it. For store/ and whoever opens a store.
//
// Every call blocks until it is durable. A call that changes several things changes all of them or
// none. Errors: as Store says; kRetry means that nothing was stored. Where even that could not be
// learned (the database went away in the middle of a commit) it is kRetry of kUnknownOutcome: all
// of it or nothing was stored, and a progress write may be issued again in either case.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace cdc {

class StoreTables {
 public:
  virtual ~StoreTables() = default;

  // In the order of their creation.
  virtual Result<std::vector<StoredTask>> ListTasks() = 0;
  virtual Result<StoredTask> LoadTask(const std::string& task) = 0;
  // `first` is the task's first progress, or empty.
  virtual Status AddTask(const StoredTask& task, const ProgressWrite& first) = 0;
  virtual Status UpdateSpec(const TaskSpec& spec) = 0;
  virtual Status UpdateState(const std::string& task, TaskState state,
                             const std::string& reason) = 0;
  virtual Status DeleteTask(const std::string& task) = 0;

  virtual Result<TaskProgress> LoadProgress(const std::string& task) = 0;
  virtual Result<std::map<std::string, Timestamp>> LoadLaneFences(const std::string& target) = 0;
  // Makes these writes durable in this order; each as a whole, in as few transactions as possible.
  // One outcome for each. A write that is wrong by itself (kNotFound, kInvalid) fails alone; when
  // the database fails, all from that write on fail, so that none overtakes one before it.
  virtual std::vector<Status> WriteProgress(const std::vector<const ProgressWrite*>& writes) = 0;
};

// ---- shared by the implementations

Error NoSuchTask(const std::string& task);
Error TaskExistsAlready(const std::string& task);
Result<TaskState> ParseTaskState(const std::string& text);
// kInvalid when the write names neither task nor target where it has to.
Status CheckWrite(const ProgressWrite& write);

}  // namespace cdc
