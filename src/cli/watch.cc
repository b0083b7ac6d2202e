#include "cli/watch.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "base/format.h"
#include "base/json_text.h"
#include "cli/task_text.h"

namespace cdc {
namespace {

using nlohmann::json;

constexpr Duration kInterval = std::chrono::seconds(1);

class Watch {
 public:
  Watch(const WatchOptions& options, const Console& console)
      : options_(options), console_(console), began_ms_(console.clock->WallMillis()) {}

  void Show(const json& task) {
    const std::optional<double> rate = Rate(task);
    if (options_.json) {
      *console_.out << JsonLine(task) << "\n";
    } else if (console_.out_is_terminal) {                // over the line of before
      const int width = std::max(console_.width - 1, 0);  // a full line would lose its end
      *console_.out << "\r" << WatchLine(task, rate, width) << "\x1b[K";
    } else {
      *console_.out << WatchLine(task, rate, 0) << "\n";
    }
    console_.out->flush();
  }

  bool Reached(const json& task) const {
    const std::string state = StateOf(task);
    switch (options_.goal) {
      case WatchGoal::kNone:
        return false;
      case WatchGoal::kCaughtUp:
        return IsRunning(state) && SafeTimeMs(task) >= began_ms_;
      case WatchGoal::kPaused:
        return state == "paused";
      case WatchGoal::kFailed:
        return state == "failed";
    }
    return false;
  }

  // An error where somebody would wait for ever.
  Status CanCome(const json& task) const {
    const std::string state = StateOf(task);
    const bool stopped = (options_.goal == WatchGoal::kCaughtUp && !IsRunning(state)) ||
                         (options_.goal == WatchGoal::kPaused && state == "failed");
    if (!stopped) return OkStatus();
    return FatalError(Format("waited in vain: {}", TaskOutcome(task)));
  }

  // Leaves the line that is drawn over.
  void End() {
    if (!options_.json && console_.out_is_terminal) *console_.out << std::endl;
  }

 private:
  static bool IsRunning(const std::string& state) {
    return state == "running" || state == "warning";
  }

  // Nullopt for the first look, and when counting began anew.
  std::optional<double> Rate(const json& task) {
    const TimePoint now = console_.clock->Now();
    const uint64_t rows = RowsOf(task);
    std::optional<double> rate;
    const double seconds = std::chrono::duration<double>(now - seen_at_).count();
    if (seen_rows_ && *seen_rows_ <= rows && seconds > 0) {
      rate = static_cast<double>(rows - *seen_rows_) / seconds;
    }
    seen_rows_ = rows;
    seen_at_ = now;
    return rate;
  }

  const WatchOptions& options_;
  const Console& console_;
  const int64_t began_ms_;
  std::optional<uint64_t> seen_rows_;
  TimePoint seen_at_;
};

}  // namespace

Status WatchTask(const WatchOptions& options, ApiClient* client, const Console& console) {
  Watch watch(options, console);
  for (;;) {
    const Result<json> task = client->Get(TaskPath(options.task_id));
    if (!task.ok()) {
      watch.End();
      return task.error();
    }
    watch.Show(*task);
    const bool reached = watch.Reached(*task);
    const Status can_come = watch.CanCome(*task);
    if (reached || !can_come.ok() || !console.out->good()) {
      watch.End();
      return reached ? OkStatus() : can_come;
    }
    console.sleep(kInterval);
  }
}

}  // namespace cdc
