// `milvus-cdc import`: takes over the tasks of a Go Milvus-CDC (server/import_go.h) while neither
// server runs. Blocks for seconds.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/config.h"
#include "server/config_environment.h"
#include "server/import_go.h"

namespace CLI {
class App;
}

namespace cdc {

struct ImportArguments {
  // Where its tasks are, one of them at most; all empty: where our own store is.
  std::string from_file;           // its cdc.yaml
  std::string from_etcd;           // host:port,...; the rest as metaStoreConfig.etcd has it
  std::string from_mysql;          // DSN; a secret
  std::string root_path;           // its metaStoreConfig.rootPath, unless empty
  std::vector<std::string> tasks;  // ids; empty: all
  bool dry_run = false;            // nothing is stored, no store is opened
  bool json = false;
};

void AddImportOptions(CLI::App* command, ImportArguments* arguments);

// Where the tasks are. `own`: the metaStoreConfig of our configuration. Errors: kInvalid.
Result<MetaStoreConfig> ImportSource(const MetaStoreConfig& own, const ImportArguments& arguments,
                                     const Environment& environment);

// What was taken over, and what was not; no secret is in it.
void PrintImport(const GoImport& import, bool dry_run, bool json, std::ostream& out);

// Errors go to `err`. Returns the exit code: 0; 1 when a task or all of it was refused; 2 when the
// configuration or the arguments are wrong; 3 when the database or the source does not answer.
int RunImport(const ServerConfig& config, const ImportArguments& arguments,
              const Environment& environment, std::ostream& out, std::ostream& err);

}  // namespace cdc
