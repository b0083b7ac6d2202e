// What a user asked for: one replication task. Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/ids.h"
#include "model/position.h"
#include "model/timestamp.h"

namespace cdc {

// "db.collection" patterns: each side an exact name or a pattern with '*' (any run of characters).
struct NamePattern {
  std::string database;
  std::string collection;
  bool exact() const {  // names one collection
    return database.find('*') == std::string::npos && collection.find('*') == std::string::npos;
  }
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
// What is included, for messages: "default.orders, shop.*", the first ten.
std::string ToString(const Selection& selection);

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
  std::string host_and_port() const;  // an IPv6 address in brackets
  bool operator==(const TargetAddress&) const = default;
};

// Where a task was asked to begin, other than at the end of the log. Request only: what it came to
// is a TaskStart.
struct StartRequest {
  struct Position {
    NamePattern of;          // of these collections
    std::string channel;     // one shard: a vchannel; or a pchannel: every shard of theirs on it
    std::string message_id;  // bytes as the source's queue writes them; empty: by time alone
    Timestamp after_ts = 0;  // only what is later counts
  };
  std::vector<Position> positions;
  std::vector<NamePattern> from_creation;  // those without a position: use_start_position
  // Message of the operation topic, behind which it is read; empty: all of it; nullopt: from its
  // end.
  std::optional<std::string> operations;
};

// Where the replication of one collection begins on one channel of the source.
struct StartPoint {
  LogPosition from;        // the first message that counts
  Timestamp after_ts = 0;  // and from there on only what is later than this
  bool operator==(const StartPoint&) const = default;
};

// Where a task begins that does not begin at the end of the log. Fixed when the task is made, the
// same in all its runs.
struct TaskStart {
  // By pchannel, for all channels of the collection.
  std::map<CollectionId, std::map<std::string, StartPoint>> collections;
  // Where every other collection begins: behind what the log held when the task was made.
  std::map<std::string, LogPosition> others;
  // Those of `collections` that may stand on the target already, with rows that did not come
  // through this task (from a backup, say). They are taken over if their schema fits, and what the
  // source wrote before the task was made is sent in the form that may be applied twice.
  std::set<CollectionId> adopted;
  // When the task was made: no row that came to the target from elsewhere has a greater timestamp.
  Timestamp made_ts = 0;

  bool empty() const { return collections.empty() && made_ts == 0; }
  bool operator==(const TaskStart&) const = default;
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
  bool ignore_partitions = false;   // none is made or dropped on the target: its owner does
  bool enable_user_role = false;    // users, roles and grants too
  StartRequest start_request;       // not stored
  TaskStart start;                  // empty: everything begins at the end of the log
  std::string request_json;  // request_data as accepted, secrets removed: what get and list echo
};

}  // namespace cdc
