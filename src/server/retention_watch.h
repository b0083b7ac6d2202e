// RetentionWatch: how much of the source's log still lies before the place from which each task
// would go on; what retention takes away beyond that is lost to the task.
//
// Owned by the task manager. A thread of its own asks the log every interval, for paused tasks too:
// theirs are the positions that grow old. Of() is safe from any thread and does not block.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "pipeline/ports.h"
#include "server/source_runtime.h"

namespace cdc {

// The channels whose positions matter to the task: those of the objects that it replicates.
std::map<std::string, ChannelCheckpoint> NeededChannels(const TaskProgress& progress);

struct Headroom {
  int64_t seconds = 0;   // from the oldest message held to the checkpoint, of the worst channel
  uint64_t bytes = 0;    // ... in bytes, as the log estimates them
  std::string warning;   // empty: nothing to worry about
  int64_t since_ms = 0;  // unix time when it was first seen to warn
  uint64_t looks = 0;    // how often it was seen again since
};

// One channel, seen once.
struct HeldChannel {
  std::string name;
  Timestamp checkpoint = 0;
  Timestamp oldest = 0;  // of the oldest message held
  bool trimmed = false;  // the log has been seen to delete
  uint64_t bytes = 0;
};

// Warns when the log deletes and more than three quarters of what it holds are still to be read.
Headroom JudgeHeadroom(const HeldChannel& channel, int64_t now_ms);

class RetentionWatch {
 public:
  // The progress of every task; called on the watch's thread, may block.
  using Tasks = std::function<std::map<std::string, TaskProgress>()>;

  RetentionWatch(const SourceRuntime* source, Duration interval, Tasks tasks);
  ~RetentionWatch();
  RetentionWatch(const RetentionWatch&) = delete;
  RetentionWatch& operator=(const RetentionWatch&) = delete;

  // nullopt: not known (yet), or the task needs no channel.
  std::optional<Headroom> Of(const std::string& task) const;
  void Stop();

 private:
  // What the log's beginning was when it was last looked at.
  struct Beginning {
    LogId first_seen;
    LogId oldest;
    Timestamp time = 0;
  };

  void Run();
  void Look();
  Result<std::optional<Headroom>> LookAt(const TaskProgress& progress);
  Result<std::map<std::string, HeldLog>> AskForAll(
      const std::map<std::string, TaskProgress>& tasks) const;
  std::optional<Headroom> Judge(const TaskProgress& progress,
                                const std::map<std::string, HeldLog>& held);
  Status Date(const std::map<std::string, HeldLog>& held);

  const SourceRuntime* const source_;
  const Duration interval_;
  const Tasks tasks_;
  const SystemClock clock_;
  std::map<std::string, Beginning> beginnings_;  // only the thread's

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::map<std::string, Headroom> headroom_;
  std::thread thread_;
};

}  // namespace cdc
