// Tasks that the existing Milvus-CDC, written in Go, left in its etcd or MySQL, taken over so that
// replication goes on where it stopped.
//
// The existing one writes down a position late (after up to ten calls or five seconds), one for
// each collection and channel, and with a time that may be ahead of it. Here a channel goes on at
// the lowest position of all its collections, and everything from there up to the present is sent
// in the form that may be applied twice: nothing is lost, and nothing comes out double. That one
// must have been stopped; it must not be started again.
//
// What is read is left as it is. Translation is pure; reading blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "server/config.h"
#include "server/request.h"
#include "store/store.h"

namespace cdc {

// As they are stored in etcd: JSON, one text for each.
struct GoRecords {
  std::vector<std::string> tasks;      // {rootPath}/task_info/{task}
  std::vector<std::string> positions;  // {rootPath}/task_position/{task}/{collection}
};

// From the database that metaStoreConfig names (etcd or mysql). Errors: kRetry, kInvalid; kNotFound
// when there is no task below this root path.
Result<GoRecords> ReadGoRecords(const MetaStoreConfig& config);

struct ImportedTask {
  StoredTask task;
  ProgressWrite first;             // where it goes on
  std::vector<std::string> notes;  // what is other than it was, for the operator
};

struct GoImport {
  std::vector<ImportedTask> tasks;  // by id
  // What cannot be taken over: which, and why.
  std::vector<std::pair<std::string, std::string>> refused;
};

struct GoImportOptions {
  RequestLimits limits;
  LogKind log = LogKind::kKafka;  // says how message ids are written
  int64_t now_ms = 0;             // Unix time: all that the existing one sent is older
  // The identity of a task's target, as the store knows it.
  std::function<std::string(const TaskSpec&)> identity;
  // The source's channels that a selection needs now. Those without a position are read from the
  // beginning of the log.
  std::function<Result<std::set<std::string>>(const Selection&)> channels;
};

GoImport TranslateGoRecords(const GoRecords& records, const GoImportOptions& options);

// Leaves the tasks of these ids, and refuses those that are not there. Empty: all.
void ChooseTasks(const std::set<std::string>& ids, GoImport* import);

// Adds the tasks to the store, each in one step. Refused, and the store left as it is, where it has
// a task of this id, or one that does the same on the same target. Errors: those of the store; what
// was added before stays.
Status AddToStore(GoImport* import, Store* store);

// All of it: reads from `from`, asks the source of `config` for its channels and adds the tasks to
// `store`; null: nothing is stored. Errors: those of reading, of the source and of the store.
Result<GoImport> ImportGoTasks(const ServerConfig& config, const MetaStoreConfig& from,
                               const std::set<std::string>& ids, Store* store);

}  // namespace cdc
