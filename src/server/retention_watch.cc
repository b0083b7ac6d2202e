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

// One question for all tasks: where the log holds the lowest place of a channel, it holds the
// others. Only when it does not, each task is looked at by itself.
void RetentionWatch::Look() {
  const std::map<std::string, TaskProgress> tasks = tasks_();
  std::map<std::string, Headroom> all;
  const auto together = AskForAll(tasks);
  const bool dated = together.ok() && Date(*together).ok();
  for (const auto& [id, progress] : tasks) {
    auto one = dated ? Result(Judge(progress, *together)) : LookAt(progress);
    if (one.ok()) {
      if (*one) all[id] = **std::move(one);
      continue;
    }
    LogDebug("headroom of the log, task {}: {}", id, one.error().message);
    if (one.error().IsRetry()) break;  // the log does not answer: not for the others either
  }
  const std::lock_guard lock(mutex_);
  for (auto& [id, headroom] : all) {
    if (headroom.warning.empty()) continue;
    const auto before = headroom_.find(id);
    const bool new_one = before == headroom_.end() || before->second.warning.empty();
    headroom.since_ms = new_one ? clock_.WallMillis() : before->second.since_ms;
    headroom.looks = new_one ? 0 : before->second.looks + 1;
  }
  headroom_ = std::move(all);
}

Result<std::map<std::string, HeldLog>> RetentionWatch::AskForAll(
    const std::map<std::string, TaskProgress>& tasks) const {
  std::map<std::string, LogPosition> lowest;
  for (const auto& [id, progress] : tasks) {
    for (const auto& [name, checkpoint] : NeededChannels(progress)) {
      const auto [at, first] = lowest.emplace(name, checkpoint.seek);
      if (!first) at->second = Earlier(at->second, checkpoint.seek);
    }
  }
  if (lowest.empty()) return std::map<std::string, HeldLog>{};
  return source_->Held(std::move(lowest), kTimeout);
}

Result<std::optional<Headroom>> RetentionWatch::LookAt(const TaskProgress& progress) {
  std::map<std::string, LogPosition> places;
  for (const auto& [name, checkpoint] : NeededChannels(progress)) places[name] = checkpoint.seek;
  if (places.empty()) return std::optional<Headroom>();
  const auto held = source_->Held(std::move(places), kTimeout);
  if (!held.ok()) {
    if (held.error().kind != ErrorKind::kPositionGone) return held.error();
    Headroom gone;
    gone.warning = held.error().message;
    return std::optional(std::move(gone));
  }
  CDC_RETURN_IF_ERROR(Date(*held));
  return Judge(progress, *held);
}

// Of the worst channel. The bytes are those before the lowest place of all tasks that were asked
// for together.
std::optional<Headroom> RetentionWatch::Judge(const TaskProgress& progress,
                                              const std::map<std::string, HeldLog>& held) {
  std::optional<Headroom> worst;
  for (const auto& [name, place] : NeededChannels(progress)) {
    const auto log = held.find(name);
    if (log == held.end()) continue;
    const Beginning& begin = beginnings_[name];
    if (place.filter == 0 || begin.time == 0) continue;  // nothing replicated yet
    const bool trimmed = begin.oldest != begin.first_seen;
    Headroom one = JudgeHeadroom({name, place.filter, begin.time, trimmed, log->second.bytes},
                                 clock_.WallMillis());
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
