#include "server/import_command.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/format.h"
#include "base/json_text.h"
#include "server/config_reading.h"
#include "server/http_server.h"
#include "server/open_store.h"

namespace cdc {
namespace {

using nlohmann::json;

enum { kDone = 0, kRefused = 1, kUsage = 2, kUnreachable = 3 };

int CodeOf(const Error& error) {
  if (error.kind == ErrorKind::kInvalid) return kUsage;
  const bool away =
      error.kind == ErrorKind::kUnavailable || error.kind == ErrorKind::kUnknownOutcome;
  return away ? kUnreachable : kRefused;
}

int Tell(const Error& error, std::ostream& err) {
  err << "milvus-cdc: " << error.message << "\n";
  return CodeOf(error);
}

bool Connects(const addrinfo& to) {
  const int fd = socket(to.ai_family, to.ai_socktype | SOCK_CLOEXEC, to.ai_protocol);
  if (fd < 0) return false;
  const timeval limit{2, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  const bool connected = connect(fd, to.ai_addr, to.ai_addrlen) == 0;
  close(fd);
  return connected;
}

// Is somebody at the address on which the server listens?
bool SomebodyListens(const std::string& address) {
  std::string host;
  uint16_t port = 0;
  if (!SplitAddress(address, &host, &port).ok()) return false;
  if (host.empty()) host = "127.0.0.1";
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return false;
  bool connected = false;
  for (const addrinfo* at = found; at != nullptr && !connected; at = at->ai_next) {
    connected = Connects(*at);
  }
  freeaddrinfo(found);
  return connected;
}

// The overrides in the environment are of our configuration, not of the other one's.
Environment WithoutOverrides(Environment environment) {
  std::erase_if(environment, [](const auto& entry) {
    return CLI::detail::to_lower(entry.first).starts_with("milvus_cdc__");
  });
  return environment;
}

json JsonOf(const ImportedTask& one) {
  json channels = json::object();
  for (const ChannelCheckpoint& c : one.first.channels) channels[c.channel] = ToString(c.seek);
  return {{"id", one.task.spec.id},
          {"state", one.task.state == TaskState::kPaused ? "paused" : "running"},
          {"channels", std::move(channels)},
          {"notes", one.notes}};
}

json JsonOf(const GoImport& import, bool dry_run) {
  json imported = json::array();
  for (const ImportedTask& one : import.tasks) imported.push_back(JsonOf(one));
  json refused = json::array();
  for (const auto& [id, why] : import.refused) refused.push_back({{"id", id}, {"reason", why}});
  return {{"imported", std::move(imported)}, {"refused", std::move(refused)}, {"dry_run", dry_run}};
}

}  // namespace

void AddImportOptions(CLI::App* command, ImportArguments* arguments) {
  CLI::Option* const file =
      command->add_option("--from", arguments->from_file, "The cdc.yaml of the Go Milvus-CDC")
          ->type_name("FILE");
  CLI::Option* const etcd =
      command
          ->add_option("--from-etcd", arguments->from_etcd,
                       "Its etcd; user, password and TLS are those of metaStoreConfig.etcd")
          ->type_name("HOST:PORT,...");
  CLI::Option* const mysql =
      command
          ->add_option("--from-mysql", arguments->from_mysql,
                       "Its MySQL, as user:password@tcp(host:port)/database. Others on this host "
                       "see it: prefer --from")
          ->type_name("DSN");
  file->excludes(etcd)->excludes(mysql);
  etcd->excludes(mysql);
  command
      ->add_option("--from-root-path", arguments->root_path,
                   "Its metaStoreConfig.rootPath, where that is another one")
      ->type_name("PATH");
  command->add_option("--task", arguments->tasks, "This one alone; may be repeated")
      ->type_name("ID");
  command->add_flag("--dry-run", arguments->dry_run,
                    "Tell what would be taken over, and store nothing");
  command->add_flag("--json", arguments->json, "Print JSON");
}

Result<MetaStoreConfig> ImportSource(const MetaStoreConfig& own, const ImportArguments& arguments,
                                     const Environment& environment) {
  MetaStoreConfig from = own;
  if (!arguments.from_file.empty()) {
    const ConfigReading reading =
        ReadConfigFile(arguments.from_file, WithoutOverrides(environment));
    if (!reading.errors.empty()) return InvalidError(reading.errors.front());
    from = reading.config.meta_store;
  } else if (!arguments.from_etcd.empty()) {
    from.store_type = "etcd";
    from.etcd.addresses = CLI::detail::split(arguments.from_etcd, ',');
  } else if (!arguments.from_mysql.empty()) {
    from.store_type = "mysql";
    from.mysql_source_url = arguments.from_mysql;
  }
  if (!arguments.root_path.empty()) from.root_path = arguments.root_path;
  if (from.store_type == "sqlite") {
    return InvalidError(
        "where the tasks of the Go Milvus-CDC are is not known: give its cdc.yaml with --from, or "
        "--from-etcd or --from-mysql");
  }
  return from;
}

void PrintImport(const GoImport& import, bool dry_run, bool json_wanted, std::ostream& out) {
  if (json_wanted) {
    out << JsonBlock(JsonOf(import, dry_run)) << "\n";
    return;
  }
  for (const ImportedTask& one : import.tasks) {
    const bool paused = one.task.state == TaskState::kPaused;
    out << Format("task {}: {}, {}; goes on at the positions of {} channels\n", one.task.spec.id,
                  dry_run ? "would be imported" : "imported", paused ? "paused" : "running",
                  one.first.channels.size());
    for (const std::string& note : one.notes) out << "  " << note << "\n";
  }
  for (const auto& [id, why] : import.refused) {
    out << Format("task {}: not imported: {}\n", id, why);
  }
  if (dry_run || import.tasks.empty()) return;
  out << "What was running runs as soon as milvus-cdc serve does. Do not start the Go Milvus-CDC "
         "again.\n";
}

int RunImport(const ServerConfig& config, const ImportArguments& arguments,
              const Environment& environment, std::ostream& out, std::ostream& err) {
  const Result<MetaStoreConfig> from = ImportSource(config.meta_store, arguments, environment);
  if (!from.ok()) return Tell(from.error(), err);
  std::unique_ptr<Store> store;
  if (!arguments.dry_run) {
    // A store in a database would be taken away from a server that runs.
    if (SomebodyListens(config.address)) {
      return Tell(FatalError(Format("a server listens on {}: stop the Go Milvus-CDC, and this one, "
                                    "while tasks are imported",
                                    config.address)),
                  err);
    }
    Result<std::unique_ptr<Store>> opened = OpenStore(config.meta_store, environment);
    if (!opened.ok()) {
      return Tell(opened.error().Prefixed("the store (no server may run while tasks are imported)"),
                  err);
    }
    store = *std::move(opened);
  }
  const std::set<std::string> ids(arguments.tasks.begin(), arguments.tasks.end());
  const Result<GoImport> import = ImportGoTasks(config, *from, ids, store.get());
  if (!import.ok()) return Tell(import.error(), err);
  PrintImport(*import, arguments.dry_run, arguments.json, out);
  return import->refused.empty() ? kDone : kRefused;
}

}  // namespace cdc
