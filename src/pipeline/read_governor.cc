#include "pipeline/read_governor.h"

#include <algorithm>
#include <utility>

namespace cdc {

ReadGovernor::Id ReadGovernor::Register(std::function<void()> resume) {
  members_[next_id_].resume = std::move(resume);
  return next_id_++;
}

void ReadGovernor::Unregister(Id id) {
  const auto it = members_.find(id);
  if (it == members_.end()) return;
  used_ -= it->second.bytes;
  if (it->second.waiting) --waiting_;
  members_.erase(it);
  WakeAllowed();
}

void ReadGovernor::Charge(Id id, size_t bytes) {
  members_[id].bytes += bytes;
  used_ += bytes;
}

void ReadGovernor::Release(Id id, size_t bytes) {
  const auto it = members_.find(id);
  if (it == members_.end()) return;
  bytes = std::min(bytes, it->second.bytes);
  it->second.bytes -= bytes;
  used_ -= bytes;
  WakeAllowed();
}

void ReadGovernor::SetResolved(Id id, Timestamp resolved) {
  members_[id].resolved = resolved;
  WakeAllowed();
}

void ReadGovernor::SetAwaited(Id id, bool awaited) {
  members_[id].awaited = awaited;
  WakeAllowed();
}

void ReadGovernor::SetHanded(Id id, bool handed) {
  Member& member = members_[id];
  if (member.handed == handed) return;
  member.handed = handed;
  if (!handed) WakeAllowed();
}

bool ReadGovernor::MayRead(Id id) {
  Member& member = members_[id];
  if (Allowed(member)) return true;
  if (!member.waiting) {
    member.waiting = true;
    ++waiting_;
  }
  return false;
}

size_t ReadGovernor::Share() const {
  const size_t channels = std::max<size_t>(1, members_.size());
  return std::max(options_.limit_bytes / 4 / channels, options_.least_share_bytes);
}

bool ReadGovernor::Allowed(const Member& member) const {
  if (used_ < options_.limit_bytes) return true;
  if (member.bytes < std::min(options_.reserve_bytes, Share())) return true;
  if (member.handed) return false;
  for (const auto& [id, other] : members_) {
    if (other.awaited && other.resolved < member.resolved) return false;
  }
  return true;
}

void ReadGovernor::WakeAllowed() {
  if (waiting_ == 0) return;
  for (auto& [id, member] : members_) {
    if (!member.waiting || !Allowed(member)) continue;
    member.waiting = false;
    --waiting_;
    executor_->Post(alive_.Guard([this, id = id] {
      const auto it = members_.find(id);
      if (it != members_.end()) it->second.resume();
    }));
  }
}

}  // namespace cdc
