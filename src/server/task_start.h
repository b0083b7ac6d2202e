// Where a task that is being made begins to read: from what was asked for, and what the source is
// at that moment. Pure but for the questions to the log, which may block.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "base/result.h"
#include "client/raw_log.h"
#include "model/task.h"
#include "server/task_plan.h"

namespace cdc {

struct SourceNow {
  // Of all channels of the task and of the operation topic; missing: there is nothing in it.
  std::map<std::string, LogPosition> ends;
  std::string operation_topic;
  Timestamp now = 0;
  // A message id as the source's Milvus writes it.
  std::function<Result<LogId>(const std::string&)> decode;
};

struct ResolvedStart {
  TaskStart start;
  std::map<std::string, LogPosition> channels;  // where each is read from
  LogPosition operations;

  // What the log must still hold for that, by channel, and whose beginning it is.
  struct Wish {
    LogPosition from;     // kEarliest: whatever is later than `after`
    Timestamp after = 0;  // 0: the message `from` itself
    std::string whose;
    std::string advice;  // if it does not
  };
  std::multimap<std::string, Wish> wishes;
};

// kInvalid: a position is not for the collections that are there, is not of this log, or one of the
// collection's other channels has none. kPositionGone: a log that was made anew since.
Result<ResolvedStart> ResolveStart(const TaskSpec& spec, const PlannedSource& plan,
                                   const SourceNow& source);

// What the source's log answers: see RawLog::Held and SourceRuntime::OldestHeld.
struct LogQuestions {
  std::function<Result<std::map<std::string, HeldLog>>(std::map<std::string, LogPosition>)> held;
  std::function<Result<std::map<std::string, Timestamp>>(const std::set<std::string>&)> oldest;
};

// kPositionGone: the log no longer holds one of them; says which, what is left, and what to do.
Status CheckHeld(const ResolvedStart& resolved, const LogQuestions& log);

}  // namespace cdc
