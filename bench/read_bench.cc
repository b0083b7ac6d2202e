// Reads one channel of a source to its end, through the pipeline into nothing or with a bare loop
// of the client library. Prints what it did as JSON; bench/read.py runs it and compares.
//
//   read_bench --channel C --rows N --bytes PER_MESSAGE --write FOLDER   the source, then
//   read_bench --channel C --rows N --folder FOLDER [LOG] [--bare | --look-ms N]   the run
//
// The source is written as a RocksMQ, which is read when no LOG is named, and as a file, which
// bench/read.py sends to the brokers. LOG: --kafka ADDRESS, or --pulsar URL --library LIBPULSAR.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/allocator.h"
#include "base/log.h"
#include "bench/backlog.h"
#include "bench/bare_readers.h"
#include "bench/log_choice.h"
#include "bench/replication_run.h"

namespace cdc::bench {
namespace {

struct Arguments {
  std::string channel;
  size_t rows = 0;
  size_t bytes = 0;
  std::string write;
  std::string folder;
  LogChoice log;
  bool bare = false;
  int look_ms = 1;
};

Result<double> Seconds(const Arguments& arguments) {
  Run run;
  const Backlog backlog = OpenBacklog(arguments.folder);
  const uint64_t count = backlog.messages;
  run.begin = backlog.begin;
  run.end = backlog.end;
  if (arguments.bare) {
    const auto read = !arguments.log.kafka.empty()
                          ? DrainKafka(arguments.log.kafka, arguments.channel, count)
                      : !arguments.log.pulsar.service_url.empty()
                          ? DrainPulsar(arguments.log.pulsar, arguments.channel, count)
                          : DrainRocksmq(RocksmqOf(arguments.folder), arguments.channel);
    if (!read.ok()) return read.error();
    if (read->messages != count) return FatalError("the bare loop did not find all messages");
    return read->seconds;
  }
  run.channels = {arguments.channel};
  run.store = arguments.folder + "/store.db";
  run.look = std::chrono::milliseconds(arguments.look_ms);
  const TimePoint begin = SystemClock().Now();
  CDC_ASSIGN_OR_RETURN(run.log, arguments.log.Open(arguments.folder));
  const auto opening = std::chrono::duration<double>(SystemClock().Now() - begin).count();
  CDC_ASSIGN_OR_RETURN(const Measured measured, Replicate(run));
  if (measured.rows < arguments.rows) return FatalError("the pipeline did not deliver all rows");
  return opening + measured.seconds;
}

}  // namespace
}  // namespace cdc::bench

int main(int count, char** values) {
  cdc::SetUpAllocator();
  cdc::bench::Arguments arguments;
  CLI::App app("how fast a source is read");
  app.add_option("--channel", arguments.channel)->required();
  app.add_option("--rows", arguments.rows)->required();
  app.add_option("--bytes", arguments.bytes);
  app.add_option("--write", arguments.write);
  app.add_option("--folder", arguments.folder);
  arguments.log.AddTo(&app);
  app.add_flag("--bare", arguments.bare);
  app.add_option("--look-ms", arguments.look_ms, "between two looks for the end");
  CLI11_PARSE(app, count, values);
  if (!arguments.write.empty()) {
    cdc::bench::WriteBacklog(arguments.write, arguments.channel, arguments.rows, arguments.bytes);
    return 0;
  }
  cdc::InitLog(cdc::LogLevel::kError, "");
  const auto seconds = cdc::bench::Seconds(arguments);
  if (!seconds.ok()) {
    std::fprintf(stderr, "%s\n", seconds.error().message.c_str());
    return 1;
  }
  std::printf("{\"seconds\": %.6f}\n", *seconds);
  return 0;
}
