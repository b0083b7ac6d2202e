// TaskStatus: what the task manager tells about a task when asked. A snapshot; plain value without
// secrets.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/ids.h"
#include "model/task.h"
#include "model/timestamp.h"

namespace cdc {

enum class Health {
  kOk,
  kWarning,  // a passing trouble: it goes on by itself
  kFailed,   // stopped for good, position kept: it needs a person
};

// State and health in one word.
enum class RunState {
  kRunning,
  kWarning,  // running, with a passing trouble
  kPaused,   // because somebody asked for it
  kFailed,
};

struct Transition {
  int64_t at_ms = 0;             // Unix time
  std::optional<RunState> from;  // nullopt: it was created, or loaded from the store
  RunState to = RunState::kRunning;
  std::string reason;  // may be empty
};

struct CollectionStatus {
  std::string source_db;
  std::string source_collection;
  CollectionId source_id = 0;
  std::string target_db;
  std::string target_collection;
  std::string state;      // a word: creating, streaming, dropping, failed, ...
  Timestamp safe_ts = 0;  // every source change of it up to here is readable on the target
  int64_t lag_ms = 0;     // of the channels that it is written to
};

struct ChannelStatus {  // of the source
  std::string name;
  Timestamp read_ts = 0;   // read and handed on up to here
  Timestamp acked_ts = 0;  // acknowledged by the target up to here
};

// Since the task was started in this process; they begin at 0 after a restart.
struct TaskCounters {
  uint64_t rows_inserted = 0;
  uint64_t rows_deleted = 0;
  uint64_t rows_replayed = 0;   // inserts of the window after a crash, sent as delete + insert
  uint64_t bytes = 0;           // of rows, as the target acknowledged them
  uint64_t duplicate_keys = 0;  // of its target: rows that a replay put in one another's place
  uint64_t retries = 0;         // calls that failed and were made again
  std::map<std::string, uint64_t>
      calls;                        // acknowledged ones by kind: ReplicateMessage, Insert, ...
  uint64_t messages_skipped = 0;    // of objects not selected or dropped, or before their start
  uint64_t messages_other = 0;      // of kinds that carry no data
  uint64_t operations_unknown = 0;  // of the operation topic: unreadable, or of an unknown kind
};

struct TaskStatus {
  std::string id;
  TargetMode mode = TargetMode::kAuto;
  std::string mode_reason;
  std::string target_uri;    // empty for kBlackhole
  Selection selection;       // with what other tasks on the target replicate as excludes
  std::string request_json;  // TaskSpec::request_json
  TaskState state = TaskState::kInitial;
  std::string reason;                   // of the state
  std::optional<int64_t> since_ms;      // Unix time of the last transition; nullopt: before us
  std::vector<Transition> transitions;  // the last ones, oldest first; TaskDetail::kFull only
  Health health = Health::kOk;
  std::string health_reason;
  int64_t health_since_ms = 0;         // Unix time when the trouble began; 0: not known, or none
  uint64_t health_retries = 0;         // failed attempts after the first one
  int64_t health_next_attempt_ms = 0;  // Unix time; 0: at once, or not known
  // Both stay what they were while the task is paused; 0: not known.
  Timestamp safe_ts = 0;    // every source change up to it is readable on the target
  Timestamp target_ts = 0;  // the target's time that covers safe_ts: its guarantee timestamp
  int64_t lag_ms = 0;       // now - time of the oldest change not yet acknowledged; 0 when idle
  // What the source's log holds before the task's checkpoint; nullopt: unknown.
  std::optional<int64_t> log_headroom_seconds;
  uint64_t log_headroom_bytes = 0;
  TaskCounters counters;
  std::vector<ChannelStatus> channels;
  uint64_t collection_count = 0;
  std::vector<CollectionStatus> collections;  // TaskDetail::kFull only
};

// What a task would be, were it created now.
struct TaskPlan {
  std::string id;       // as asked for; empty: one would be made
  bool exists = false;  // a task of that id is there: nothing would be changed
  TargetMode mode = TargetMode::kAuto;
  std::string mode_reason;
  std::string target_uri;
  Selection selection;
  std::vector<CollectionStatus> collections;  // names alone
};

const char* ToString(Health health);
const char* ToString(RunState state);
RunState RunStateOf(const TaskStatus& task);
// http(s)://host:port
std::string UriOf(const TargetAddress& address);

}  // namespace cdc
