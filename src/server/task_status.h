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

struct CollectionStatus {
  std::string source_db;
  std::string source_collection;
  CollectionId source_id = 0;
  std::string target_db;
  std::string target_collection;
  std::string state;  // a word: creating, streaming, dropping, failed, ...
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
      calls;  // acknowledged ones by kind: ReplicateMessage, Insert, ...
};

struct TaskStatus {
  std::string id;
  TargetMode mode = TargetMode::kAuto;
  std::string mode_reason;
  std::string request_json;  // TaskSpec::request_json
  TaskState state = TaskState::kInitial;
  std::string reason;  // of the state
  Health health = Health::kOk;
  std::string health_reason;
  Timestamp safe_ts = 0;    // every source change up to it is readable on the target
  Timestamp target_ts = 0;  // the target's time that covers safe_ts: its guarantee timestamp
  int64_t lag_ms = 0;       // now - time of the oldest change not yet acknowledged; 0 when idle
  // What the source's log holds before the task's checkpoint; nullopt: unknown.
  std::optional<int64_t> log_headroom_seconds;
  uint64_t log_headroom_bytes = 0;
  TaskCounters counters;
  std::vector<CollectionStatus> collections;
};

const char* ToString(Health health);

}  // namespace cdc
