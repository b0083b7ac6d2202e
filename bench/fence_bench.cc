// One run of the pipeline from a RocksMQ to a target that throws everything away, with the real
// store. Prints what it did as JSON; bench/fence.py runs it and compares.
//
//   fence_bench --folder EMPTY --rows N --bytes PER_MESSAGE --write   the source, then
//   fence_bench --folder SAME [--without-fence]                       the run, or both at once with
//   fence_bench --folder EMPTY --rows N --rate ROWS_PER_SECOND [--without-fence]
//
// --without-fence: one fence at the start covers everything, so that nothing waits for the store
// and nothing more is written but checkpoints. --rate: the rows come in real time, one per message,
// instead of all being there. The source is written by a process of its own so that a run's
// instructions can be counted.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/allocator.h"
#include "bench/backlog.h"
#include "bench/milvus_messages.h"
#include "bench/replication_run.h"
#include "bench/rocksmq_writer.h"
#include "client/rocksmq/rocksmq_log.h"

namespace cdc::bench {
namespace {

constexpr const char* kChannel = "bench-rootcoord-dml_0";

struct Arguments {
  size_t rows = 200'000;
  size_t bytes = 65'536;  // per message
  size_t rate = 0;        // rows per second; 0: all at once
  bool write = false;
  bool without_fence = false;
  std::string folder;
};

Result<Measured> RunOnce(const Arguments& arguments) {
  const std::string rocksmq = RocksmqOf(arguments.folder);
  Run run;
  run.channels = {kChannel};
  run.store = arguments.folder + "/store.db";
  run.without_fence = arguments.without_fence;
  std::unique_ptr<RocksmqWriter> store;
  std::unique_ptr<MilvusMessages> messages;
  if (arguments.rate == 0) {
    const Backlog backlog = OpenBacklog(arguments.folder);
    run.begin = backlog.begin;
    run.end = backlog.end;
  } else {
    store = std::make_unique<RocksmqWriter>(rocksmq, kChannel);
    const int64_t begin_ms = SystemClock().WallMillis();
    run.begin = ComposeTimestamp(begin_ms);
    messages =
        std::make_unique<MilvusMessages>(kChannel, begin_ms, 0, arguments.rate,
                                         [&](const std::string& payload) { store->Put(payload); });
    run.write = [&] { return messages->WriteInRealTime(arguments.rows); };
  }
  run.log = OpenRocksmqLog(rocksmq);
  return Replicate(run);
}

}  // namespace
}  // namespace cdc::bench

int main(int count, char** values) {
  cdc::SetUpAllocator();
  cdc::bench::Arguments arguments;
  CLI::App app("the price of the fence");
  app.add_option("--rows", arguments.rows);
  app.add_option("--bytes", arguments.bytes);
  app.add_option("--rate", arguments.rate);
  app.add_option("--folder", arguments.folder)->required();
  app.add_flag("--write", arguments.write);
  app.add_flag("--without-fence", arguments.without_fence);
  CLI11_PARSE(app, count, values);
  if (arguments.write) {
    cdc::bench::WriteBacklog(arguments.folder, cdc::bench::kChannel, arguments.rows,
                             arguments.bytes);
    return 0;
  }
  const auto measured = cdc::bench::RunOnce(arguments);
  if (!measured.ok()) {
    std::fprintf(stderr, "%s\n", measured.error().message.c_str());
    return 1;
  }
  std::printf("{\"seconds\": %.6f, \"commits\": %zu, \"rows\": %llu}\n", measured->seconds,
              measured->commits, static_cast<unsigned long long>(measured->rows));
  return 0;
}
