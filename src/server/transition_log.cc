#include "server/transition_log.h"

#include <utility>

namespace cdc {

void TransitionLog::Load(const std::string& task, RunState state) {
  tasks_[task].now = state;
}

void TransitionLog::Record(const std::string& task, RunState to, std::string reason,
                           int64_t at_ms) {
  History& history = tasks_[task];
  history.last.push_back({at_ms, std::exchange(history.now, to), to, std::move(reason)});
  if (history.last.size() > kKept) history.last.pop_front();
}

void TransitionLog::Forget(const std::string& task) {
  tasks_.erase(task);
}

std::vector<Transition> TransitionLog::Of(const std::string& task) const {
  const auto it = tasks_.find(task);
  if (it == tasks_.end()) return {};
  return {it->second.last.begin(), it->second.last.end()};
}

std::optional<int64_t> TransitionLog::SinceMs(const std::string& task) const {
  const auto it = tasks_.find(task);
  if (it == tasks_.end() || it->second.last.empty()) return std::nullopt;
  return it->second.last.back().at_ms;
}

}  // namespace cdc
