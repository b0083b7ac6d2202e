// Reads many channels that are all behind, and tells how much memory that took. Prints JSON;
// bench/channels.py runs it.
//
//   channels_bench --folder EMPTY --channels N --rows TOTAL --bytes PER_MESSAGE --write [--brokers]
//   channels_bench --serve MS                         a target that answers after MS; prints its
//                                                     port, ends with its input
//   channels_bench --folder SAME --channels N [LOG] [--mode MODE --port PORT] [--seconds S]
//
// LOG: --kafka ADDRESS, or --pulsar URL --library LIBPULSAR. MODE: api, replicate, or nothing.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "base/allocator.h"
#include "base/format.h"
#include "base/log.h"
#include "bench/backlog.h"
#include "bench/log_choice.h"
#include "bench/mock_target.h"
#include "bench/replication_run.h"

namespace cdc::bench {
namespace {

struct Arguments {
  std::string folder;
  size_t channels = 1;
  size_t rows = 0;
  size_t bytes = 65'536;
  LogChoice log;
  std::string mode;
  int port = 0;
  int seconds = 0;
  int serve_ms = -1;
  bool write = false;
  bool brokers = false;
};

std::vector<std::string> ChannelNames(size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) names.push_back(Format("bench{}-rootcoord-dml_{}", count, i));
  return names;
}

// MiB of this process: the most that was ever resident ("VmHWM"), or what is now ("VmRSS").
double Memory(const std::string& what) {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    double kib = 0;
    if (word == what + ":" && status >> kib) return kib / 1024;
  }
  return 0;
}

Status Measure(const Arguments& arguments) {
  Run run;
  const Backlog backlog = OpenBacklog(arguments.folder);
  run.begin = backlog.begin;
  run.end = backlog.end;
  run.at_most = std::chrono::seconds(arguments.seconds);
  run.channels = ChannelNames(arguments.channels);
  run.store = arguments.folder + "/store.db";
  if (!arguments.mode.empty()) {
    run.mode = arguments.mode == "api" ? TargetMode::kApi : TargetMode::kReplicate;
    run.target.host = "127.0.0.1";
    run.target.port = arguments.port;
  }
  const double before = Memory("VmRSS");
  CDC_ASSIGN_OR_RETURN(run.log, arguments.log.Open(arguments.folder));
  CDC_ASSIGN_OR_RETURN(const Measured measured, Replicate(run));
  std::printf("{\"seconds\": %.3f, \"rows\": %llu, \"before_mb\": %.1f, \"most_mb\": %.1f}\n",
              measured.seconds, static_cast<unsigned long long>(measured.rows), before,
              Memory("VmHWM"));
  return OkStatus();
}

// Never returns: the end of a server waits for its calls, of which some are never answered.
[[noreturn]] void Serve(int latency_ms) {
  const MockTarget target{std::chrono::milliseconds(latency_ms)};
  std::printf("%d\n", target.address().port);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  std::_Exit(0);
}

}  // namespace
}  // namespace cdc::bench

int main(int count, char** values) {
  cdc::SetUpAllocator();
  cdc::bench::Arguments arguments;
  CLI::App app("how much memory many channels take that are behind");
  app.add_option("--folder", arguments.folder);
  app.add_option("--channels", arguments.channels);
  app.add_option("--rows", arguments.rows);
  app.add_option("--bytes", arguments.bytes);
  arguments.log.AddTo(&app);
  app.add_option("--mode", arguments.mode)->check(CLI::IsMember({"api", "replicate"}));
  app.add_option("--port", arguments.port);
  app.add_option("--seconds", arguments.seconds);
  app.add_option("--serve", arguments.serve_ms);
  app.add_flag("--write", arguments.write);
  app.add_flag("--brokers", arguments.brokers);
  CLI11_PARSE(app, count, values);
  if (arguments.serve_ms >= 0) cdc::bench::Serve(arguments.serve_ms);
  if (arguments.write) {
    cdc::bench::WriteBacklogs(arguments.folder, cdc::bench::ChannelNames(arguments.channels),
                              arguments.rows, arguments.bytes, arguments.brokers);
    return 0;
  }
  cdc::InitLog(cdc::LogLevel::kError, "");
  const cdc::Status status = cdc::bench::Measure(arguments);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.error().message.c_str());
    return 1;
  }
  return 0;
}
