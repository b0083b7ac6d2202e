#include "pipeline/lane_set.h"

#include <algorithm>
#include <utility>

namespace cdc {

LaneSet::LaneSet(std::string target, Options options, std::map<std::string, Timestamp> fences,
                 Executor* executor, DataSink* sink, ProgressStore* store)
    : target_(std::move(target)),
      options_(options),
      executor_(executor),
      sink_(sink),
      store_(store),
      fences_(std::move(fences)) {
  for (const auto& [lane, fence] : fences_) readable_at_ = std::max(readable_at_, fence);
  if (options_.lane.merge) ScheduleTimer();
}

Lane* LaneSet::Get(const std::string& name) {
  std::unique_ptr<Lane>& lane = lanes_[name];
  if (!lane) {
    const auto fence = fences_.find(name);
    lane = std::make_unique<Lane>(
        name, options_.lane, fence == fences_.end() ? 0 : fence->second, executor_, sink_,
        [this](const std::string& of, Timestamp stamp, std::function<void()> done) {
          EnsureFence(of, stamp, std::move(done));
        });
  }
  return lane.get();
}

Lane* LaneSet::Find(const std::string& name) {
  const auto it = lanes_.find(name);
  return it == lanes_.end() ? nullptr : it->second.get();
}

void LaneSet::Release(const std::string& name) {
  if (Free(name)) return;
  if (released_.insert(name).second && released_.size() == 1) FreeReleased();
}

// False: it is busy. One that was joined again is in use, and no longer to be freed.
bool LaneSet::Free(const std::string& name) {
  const auto it = lanes_.find(name);
  if (it == lanes_.end() || it->second->has_edges()) return true;
  if (it->second->busy()) return false;
  readable_at_ = std::max(readable_at_, it->second->acked_tick());
  calls_of_freed_ += it->second->calls();
  lanes_.erase(it);
  sink_->Forget(name);
  return true;
}

void LaneSet::FreeReleased() {
  executor_->PostAfter(std::chrono::seconds(1), alive_.Guard([this] {
    std::erase_if(released_, [this](const std::string& name) { return Free(name); });
    if (!released_.empty()) FreeReleased();
  }));
}

void LaneSet::EnsureFence(const std::string& lane, Timestamp stamp, std::function<void()> done) {
  const Timestamp fence = fences_[lane];
  if (stamp + options_.fence_ahead / 2 > fence) {
    Timestamp& wanted = wanted_[lane];
    wanted = std::max(wanted, stamp);
  }
  if (stamp <= fence) {
    done();
  } else {
    waiters_.push_back({lane, stamp, std::move(done)});
  }
  CommitFences();
}

void LaneSet::CommitFences() {
  if (committing_ || wanted_.empty()) return;
  committing_ = true;
  ProgressWrite write;
  write.target = target_;
  for (const auto& [lane, stamp] : wanted_) {
    write.lanes.push_back({lane, stamp + options_.fence_ahead});
  }
  wanted_.clear();
  const std::vector<LaneFence> lanes = write.lanes;
  store_->Commit(std::move(write), alive_.Guard([this, lanes](Status status) {
    committing_ = false;
    if (!status.ok()) {
      for (const LaneFence& lane : lanes) {
        Timestamp& wanted = wanted_[lane.lane];
        wanted = std::max(wanted, lane.fence - options_.fence_ahead);
      }
      executor_->PostAfter(std::chrono::milliseconds(200),
                           alive_.Guard([this] { CommitFences(); }));
      return;
    }
    for (const LaneFence& lane : lanes) {
      fences_[lane.lane] = std::max(fences_[lane.lane], lane.fence);
    }
    std::vector<Waiter> ready;
    std::erase_if(waiters_, [&](Waiter& waiter) {
      if (waiter.stamp > fences_[waiter.lane]) return false;
      ready.push_back(std::move(waiter));
      return true;
    });
    for (const Waiter& waiter : ready) waiter.done();
    CommitFences();
  }));
}

void LaneSet::WriteExactFences(std::function<void()> done) {
  ProgressWrite write;
  write.target = target_;
  if (options_.lane.merge) {
    for (const auto& [name, lane] : lanes_) {
      lane->Close();
      if (!lane->busy()) write.lanes.push_back({name, lane->last_stamp()});
    }
  }
  store_->Commit(std::move(write), [done = std::move(done)](Status) { done(); });
}

Timestamp LaneSet::ReadableAt() const {
  Timestamp highest = readable_at_;
  for (const auto& [name, lane] : lanes_) highest = std::max(highest, lane->acked_tick());
  return highest;
}

uint64_t LaneSet::calls() const {
  uint64_t total = calls_of_freed_;
  for (const auto& [name, lane] : lanes_) total += lane->calls();
  return total;
}

void LaneSet::ScheduleTimer() {
  executor_->PostAfter(options_.timer_interval, alive_.Guard([this] {
    for (const auto& [name, lane] : lanes_) lane->OnTimer();
    ScheduleTimer();
  }));
}

}  // namespace cdc
