// Keys and values of a store in a key-value database: format 1, described in docs/formats/store.md.
// Private to store/. Pure functions, any thread.
//
// Values are JSON objects. Numbers of 64 bits are decimal texts, for many readers of JSON round
// them. Members that are missing keep their defaults, unknown ones are ignored. Errors: corrupt.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/kv_db.h"
#include "store/store.h"

namespace cdc::kv {

inline constexpr uint64_t kFormat = 1;

// The one key through which everything goes: each commit replaces it, on the condition that it is
// still as the last one left it.
inline constexpr const char* kHeadKey = "head";

struct Head {
  uint64_t format = kFormat;
  std::string writer;  // the process that may write; another one that opened the store replaces it
  uint64_t commits = 0;  // differs with every commit
  uint64_t created = 0;  // tasks ever added: the `order` of the last one
  uint64_t journal = 0;  // how many journal keys hold changes that are decided and not all made yet
  bool operator==(const Head&) const = default;
};
std::string EncodeHead(const Head& head);
Result<Head> DecodeHead(const std::string& text);

// ---- tasks

inline constexpr const char* kTaskPrefix = "task/";
inline constexpr const char* kSpecsPrefix = "spec/";
// A spec may name thousands of collections: it is cut into values of this size at most.
inline constexpr size_t kSpecPartBytes = 256 * 1024;

struct TaskRecord {
  std::string id;
  uint64_t order = 0;  // of creation, never used twice; names the keys of spec and progress
  TaskState state = TaskState::kInitial;
  std::string reason;
  std::string token;  // secret, possibly sealed
  uint64_t spec_parts = 0;
  bool operator==(const TaskRecord&) const = default;
};
std::string TaskKey(const std::string& task);
std::string EncodeTask(const TaskRecord& record);
Result<TaskRecord> DecodeTask(const std::string& text);

std::string SpecPrefix(uint64_t order);
std::string SpecKey(uint64_t order, uint64_t part);
// Puts the spec in parts; returns how many.
uint64_t PutSpec(uint64_t order, const TaskSpec& spec, KvChanges* changes);
// The task from its record and the parts of its spec, by key.
Result<StoredTask> JoinTask(TaskRecord record, const std::map<std::string, std::string>& parts);

// ---- progress

std::string ProgressPrefix(uint64_t order);
// What one write changes, lanes included.
void PutProgress(uint64_t order, const ProgressWrite& write, KvChanges* changes);
// Takes one key and value below ProgressPrefix; `name` is the key's rest.
Status ReadProgress(const std::string& name, const std::string& value, TaskProgress* progress);

std::string LanesPrefix(const std::string& target);
Result<LaneFence> DecodeLane(const std::string& text);

// ---- the journal: changes that are too many for one commit

inline constexpr const char* kJournalPrefix = "journal/";
std::string JournalKey(uint64_t number);
// Values of at most `max_bytes` (a single larger change gets one of its own); no erased prefixes.
std::vector<std::string> EncodeJournal(const KvChanges& changes, size_t max_bytes);
Result<KvChanges> DecodeJournal(const std::string& text);

}  // namespace cdc::kv
