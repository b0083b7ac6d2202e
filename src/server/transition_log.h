// TransitionLog: when and why each task changed its state; the last 20 of each, in memory.
//
// Owned by the task manager and guarded by its mutex; never blocks. After a restart it begins with
// what the store knows, which has no times.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/task_status.h"

namespace cdc {

class TransitionLog {
 public:
  static constexpr size_t kKept = 20;

  // The state that a task had when it was last stored.
  void Load(const std::string& task, RunState state);
  // A state that is the one before is recorded too: its reason may be another.
  void Record(const std::string& task, RunState to, std::string reason, int64_t at_ms);
  void Forget(const std::string& task);

  // Oldest first.
  std::vector<Transition> Of(const std::string& task) const;
  // Of the last one; nullopt: before this process began.
  std::optional<int64_t> SinceMs(const std::string& task) const;

 private:
  struct History {
    std::optional<RunState> now;
    std::deque<Transition> last;
  };
  std::map<std::string, History> tasks_;
};

}  // namespace cdc
