#include "server/retention_watch.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/format.h"
#include "base/log.h"

namespace cdc {
namespace {

constexpr Duration kTimeout = std::chrono::seconds(3);
// A task that is this close to the log's end is in no danger, whatever the log holds.
constexpr int64_t kCloseMs = 30'000;

}  // namespace

std::map<std::string, ChannelCheckpoint> NeededChannels(const TaskProgress& progress) {
  std::map<std::string, ChannelCheckpoint> needed;
  for (const auto& [id, object] : progress.objects) {
    for (const std::string& name : object.pchannels) {
      const auto at = progress.channels.find(name);
      if (at != progress.channels.end()) needed.insert(*at);
    }
  }
  return needed;
}

Headroom JudgeHeadroom(const HeldChannel& channel, int64_t now_ms) {
  const int64_t behind = now_ms - PhysicalMillis(channel.checkpoint);
  const int64_t left =
      std::max<int64_t>(0, PhysicalMillis(channel.checkpoint) - PhysicalMillis(channel.oldest));
  Headroom headroom;
  headroom.seconds = left / 1000;
  headroom.bytes = channel.bytes;
  if (channel.trimmed && behind > kCloseMs && left * 3 < behind) {
    headroom.warning = Format(
        "channel {}: the source's log deletes what is old, and only {} s of it lie before this "
        "task, which is {} s behind: let it catch up, or make the log's retention longer",
        channel.name, headroom.seconds, behind / 1000);
  }
  return headroom;
}

RetentionWatch::RetentionWatch(const SourceRuntime* source, Duration interval, Tasks tasks)
    : source_(source), interval_(interval), tasks_(std::move(tasks)), thread_([this] { Run(); }) {}

RetentionWatch::~RetentionWatch() {
  Stop();
}

void RetentionWatch::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::optional<Headroom> RetentionWatch::Of(const std::string& task) const {
  const std::lock_guard lock(mutex_);
  const auto it = headroom_.find(task);
  if (it == headroom_.end()) return std::nullopt;
  return it->second;
}

void RetentionWatch::Run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval_, [this] { return stop_; })) {
    lock.unlock();
    Look();
    lock.lock();
  }
}

void RetentionWatch::Look() {
  std::map<std::string, Headroom> all;
  for (const auto& [id, progress] : tasks_()) {
    auto one = LookAt(progress);
    if (one.ok()) {
      if (*one) all[id] = **std::move(one);
      continue;
    }
    LogDebug("headroom of the log: {}", one.error().message);
    break;  // the log does not answer: not for the others either
  }
  const std::lock_guard lock(mutex_);
  headroom_ = std::move(all);
}

Result<std::optional<Headroom>> RetentionWatch::LookAt(const TaskProgress& progress) {
  const auto channels = NeededChannels(progress);
  if (channels.empty()) return std::optional<Headroom>();
  std::map<std::string, LogPosition> places;
  for (const auto& [name, checkpoint] : channels) places[name] = checkpoint.seek;
  const auto held = source_->Held(std::move(places), kTimeout);
  if (!held.ok()) {
    if (held.error().kind != ErrorKind::kPositionGone) return held.error();
    return std::optional(Headroom{0, 0, held.error().message});
  }
  CDC_RETURN_IF_ERROR(Date(*held));
  std::optional<Headroom> worst;
  for (const auto& [name, log] : *held) {
    const Timestamp checkpoint = channels.at(name).filter;
    const Beginning& begin = beginnings_[name];
    if (checkpoint == 0 || begin.time == 0) continue;  // nothing replicated yet
    const bool trimmed = begin.oldest != begin.first_seen;
    Headroom one =
        JudgeHeadroom({name, checkpoint, begin.time, trimmed, log.bytes}, clock_.WallMillis());
    const bool worse = !worst || std::pair(one.warning.empty(), one.seconds) <
                                     std::pair(worst->warning.empty(), worst->seconds);
    if (worse) worst = std::move(one);
  }
  return worst;
}

// Learns the times of the oldest messages, which are read only when they are others than before.
Status RetentionWatch::Date(const std::map<std::string, HeldLog>& held) {
  std::set<std::string> moved;
  for (const auto& [name, log] : held) {
    const auto [at, first] = beginnings_.try_emplace(name, Beginning{log.oldest, log.oldest, 0});
    if (first || at->second.oldest != log.oldest || at->second.time == 0) moved.insert(name);
  }
  if (moved.empty()) return OkStatus();
  CDC_ASSIGN_OR_RETURN(const auto times, source_->OldestHeld(moved, kTimeout));
  for (const auto& [name, time] : times) {
    Beginning& begin = beginnings_[name];
    begin.time = time;
    begin.oldest = held.at(name).oldest;
  }
  return OkStatus();
}

}  // namespace cdc
