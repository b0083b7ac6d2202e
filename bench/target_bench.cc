// One replication of a RocksMQ into a target in this process that answers each call after a set
// time, and the same calls once more, from memory. Prints what it did as JSON; bench/target.py runs
// it and compares.
//
//   target_bench --folder EMPTY --rows N --bytes PER_MESSAGE --write   the source, then
//   target_bench --folder SAME [--replicate] [--latency MS]            the run
//   target_bench --folder EMPTY --rows N --rate PER_SECOND ...         the run with rows as they
//   come
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "base/allocator.h"
#include "base/log.h"
#include "bench/backlog.h"
#include "bench/milvus_messages.h"
#include "bench/mock_target.h"
#include "bench/replication_run.h"
#include "bench/rocksmq_writer.h"
#include "client/rocksmq/rocksmq_log.h"

namespace cdc::bench {
namespace {

constexpr const char* kChannel = "bench-rootcoord-dml_0";

struct Arguments {
  size_t rows = 200'000;
  size_t bytes = 65'536;
  size_t rate = 0;  // rows per second; 0: all are there
  int latency_ms = 10;
  bool replicate = false;
  bool write = false;
  std::string folder;
};

// How far the target was behind the source's clock, one sample per millisecond.
class Lag {
 public:
  void Sample(Timestamp safe) {
    if (safe != 0) samples_.push_back(clock_.WallMillis() - PhysicalMillis(safe));
  }
  // Milliseconds.
  int64_t Quantile(double share) {
    if (samples_.empty()) return 0;
    const auto at = static_cast<size_t>(share * static_cast<double>(samples_.size() - 1));
    std::nth_element(samples_.begin(), samples_.begin() + static_cast<std::ptrdiff_t>(at),
                     samples_.end());
    return samples_[at];
  }

 private:
  const SystemClock clock_;
  std::vector<int64_t> samples_;
};

Run Prepare(const Arguments& arguments, const MockTarget& target) {
  Run run;
  run.channels = {kChannel};
  run.store = arguments.folder + "/store.db";
  run.mode = arguments.replicate ? TargetMode::kReplicate : TargetMode::kApi;
  run.target = target.address();
  return run;
}

Result<Measured> DrainOnce(const Arguments& arguments, Run run) {
  run.log = OpenRocksmqLog(RocksmqOf(arguments.folder));
  return Replicate(run);
}

// Two runs: what the calls are is kept of the first one, the time is that of the second one, in
// which memory is used again as always.
Status Drain(const Arguments& arguments) {
  MockTarget target{std::chrono::milliseconds(arguments.latency_ms)};
  Run run = Prepare(arguments, target);
  const Backlog backlog = OpenBacklog(arguments.folder);
  run.begin = backlog.begin;
  run.end = backlog.end;
  std::vector<std::shared_ptr<const LaneBatch>> sent;
  run.sent = &sent;
  CDC_RETURN_IF_ERROR(DrainOnce(arguments, run));
  CDC_ASSIGN_OR_RETURN(const double memory, SendAll(run.target, run.mode, sent));
  sent.clear();
  run.sent = nullptr;
  run.store += ".2";
  const uint64_t before = target.calls();
  CDC_ASSIGN_OR_RETURN(const Measured measured, DrainOnce(arguments, run));
  std::printf("{\"seconds\": %.6f, \"from_memory\": %.6f, \"rows\": %llu, \"calls\": %llu}\n",
              measured.seconds, memory, static_cast<unsigned long long>(measured.rows),
              static_cast<unsigned long long>(target.calls() - before));
  return OkStatus();
}

Status KeepUp(const Arguments& arguments) {
  MockTarget target{std::chrono::milliseconds(arguments.latency_ms)};
  Run run = Prepare(arguments, target);
  RocksmqWriter store(RocksmqOf(arguments.folder), kChannel);
  const int64_t begin_ms = SystemClock().WallMillis();
  run.begin = ComposeTimestamp(begin_ms);
  MilvusMessages messages(kChannel, begin_ms, arguments.bytes,
                          arguments.rate / RowsPerMessage(arguments.bytes),
                          [&](const std::string& payload) { store.Add(payload); });
  run.write = [&] {
    const Timestamp end = messages.WriteInRealTime(arguments.rows, [&] { store.Commit(); });
    store.Commit();
    return end;
  };
  Lag lag;
  Lag source;  // which may fall behind the clock by itself
  run.watch = [&](Timestamp safe) {
    lag.Sample(safe);
    source.Sample(messages.ticked());
  };
  run.log = OpenRocksmqLog(RocksmqOf(arguments.folder));
  CDC_ASSIGN_OR_RETURN(const Measured measured, Replicate(run));
  std::printf(
      "{\"seconds\": %.6f, \"rows\": %llu, \"lag_p50_ms\": %lld, \"lag_p99_ms\": %lld, "
      "\"source_p50_ms\": %lld, \"source_p99_ms\": %lld}\n",
      measured.seconds, static_cast<unsigned long long>(measured.rows),
      static_cast<long long>(lag.Quantile(0.5)), static_cast<long long>(lag.Quantile(0.99)),
      static_cast<long long>(source.Quantile(0.5)), static_cast<long long>(source.Quantile(0.99)));
  return OkStatus();
}

}  // namespace
}  // namespace cdc::bench

int main(int count, char** values) {
  cdc::SetUpAllocator();
  cdc::bench::Arguments arguments;
  CLI::App app("how fast a target with a latency is written to");
  app.add_option("--rows", arguments.rows);
  app.add_option("--bytes", arguments.bytes);
  app.add_option("--rate", arguments.rate);
  app.add_option("--latency", arguments.latency_ms);
  app.add_option("--folder", arguments.folder)->required();
  app.add_flag("--replicate", arguments.replicate);
  app.add_flag("--write", arguments.write);
  CLI11_PARSE(app, count, values);
  cdc::InitLog(cdc::LogLevel::kError, "");
  if (arguments.write) {
    cdc::bench::WriteBacklog(arguments.folder, cdc::bench::kChannel, arguments.rows,
                             arguments.bytes);
    return 0;
  }
  const cdc::Status status =
      arguments.rate == 0 ? cdc::bench::Drain(arguments) : cdc::bench::KeepUp(arguments);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.error().message.c_str());
    return 1;
  }
  return 0;
}
