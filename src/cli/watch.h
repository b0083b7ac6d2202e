// `task watch`: asks for a task once a second and shows it, until something it waits for is so.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/api_client.h"
#include "cli/console.h"

namespace cdc {

// What ends the watch by itself.
enum class WatchGoal {
  kNone,      // only the task's end, or the person's
  kCaughtUp,  // every change of before the watch began is readable on the target
  kPaused,
  kFailed,
};

struct WatchOptions {
  std::string task_id;
  WatchGoal goal = WatchGoal::kNone;
  bool json = false;  // a Task as one line of JSON per second, instead of text
};

// Blocks until the goal is reached, or what is printed is no longer read. Errors: those of
// ApiClient; and where the goal cannot come by itself, because the task was paused or failed first.
Status WatchTask(const WatchOptions& options, ApiClient* client, const Console& console);

}  // namespace cdc
