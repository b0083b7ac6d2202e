// What a user asked for: one replication task. Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace cdc {

// "db.collection" patterns: each side an exact name or a pattern with '*' (any run of characters).
struct NamePattern {
  std::string database;
  std::string collection;
  bool operator==(const NamePattern&) const = default;
};

struct NameMapping {
  std::string source_db;
  std::string target_db;
  // Those that get another name; the others go to `target_db` under their own. A mapping without
  // any decides about the rest of a database that several mappings name.
  std::map<std::string, std::string> collections;
  bool operator==(const NameMapping&) const = default;
};

struct TargetName {
  std::string database;
  std::string collection;
  auto operator<=>(const TargetName&) const = default;
};
std::string ToString(const TargetName& name);  // database.collection

// Which collections a task replicates, and under which names. Pure; any thread.
class Selection {
 public:
  std::vector<NamePattern> includes;
  std::vector<NamePattern> excludes;
  std::vector<NameMapping> mappings;

  bool Matches(const std::string& database, const std::string& collection) const;
  // True when the database as such belongs to the task: it is selected with "*" collections,
  // so it is created and dropped with the source's, even while empty.
  bool MatchesWholeDatabase(const std::string& database) const;
  std::string MapDatabase(const std::string& database) const;
  TargetName Map(const std::string& database, const std::string& collection) const;

  bool operator==(const Selection&) const = default;
};

// Does `text` match `pattern`, in which '*' stands for any run of characters?
bool MatchPattern(const std::string& pattern, const std::string& text);
// Can one text match both patterns?
bool PatternsOverlap(const std::string& a, const std::string& b);

enum class TargetMode { kAuto, kReplicate, kApi, kBlackhole };
std::string ToString(TargetMode mode);
Result<TargetMode> ParseTargetMode(const std::string& text);

enum class LoadPolicy { kFollow, kOnce, kNever };
enum class DropPolicy { kReplicate, kHold };

// How to reach a target Milvus. `token` is a secret.
struct TargetAddress {
  std::string host;
  uint16_t port = 19530;
  bool tls = false;
  std::string ca_pem_path;  // empty: system CAs
  std::string client_pem_path;
  std::string client_key_path;
  std::string server_name;
  std::string token;  // "user:password" or an API key; empty: none
  int connect_timeout_seconds = 5;
  bool operator==(const TargetAddress&) const = default;
};

enum class TaskState { kInitial, kRunning, kPaused };
std::string ToString(TaskState state);

struct TaskSpec {
  std::string id;
  TargetMode mode = TargetMode::kAuto;  // as resolved at create; never kAuto afterwards
  std::string mode_reason;
  TargetAddress target;  // unused for kBlackhole
  Selection selection;
  bool adopt = false;
  LoadPolicy load = LoadPolicy::kFollow;
  DropPolicy drops = DropPolicy::kReplicate;
  bool disable_auto_start = false;  // a restart of the server leaves the task paused
  std::string request_json;  // request_data as accepted, secrets removed: what get and list echo
};

}  // namespace cdc
