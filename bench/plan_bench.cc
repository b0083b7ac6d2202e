// What becomes of messages on their way into calls, without threads, files and sockets: decoding,
// and joining what a lane takes at once. For counting instructions: bench/instructions.py.
//
//   plan_bench --messages N --bytes PER_MESSAGE --rounds R [--replicate]
//
// R times the same messages, so that what making them takes can be told apart.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "bench/milvus_messages.h"
#include "client/milvus/message_codec.h"
#include "sink/milvus/api_plan.h"
#include "sink/milvus/replicate_plan.h"

namespace cdc::bench {
namespace {

constexpr size_t kBatchBytes = 8 << 20;

struct Planner {
  std::shared_ptr<TargetAddressOfRows> to = std::make_shared<TargetAddressOfRows>();
  bool replicate = false;
  LaneBatch batch;
  size_t bytes = 0;
  size_t calls = 0;

  void Take(const Slice& payload) {
    auto change = DecodeMessage({0, calls + batch.items.size() + 1}, payload);
    if (!change.ok() || change->kind != ChangeKind::kInsert) return;
    bytes += payload.bytes.size();
    const Timestamp stamp = change->ts;
    batch.items.push_back({*std::move(change), to, stamp, false});
    if (bytes >= kBatchBytes) Plan();
  }
  void Plan() {
    batch.lane = "bench-rootcoord-dml_0";
    if (!batch.items.empty()) batch.tick = batch.items.back().stamp;
    const auto planned =
        replicate ? PlanReplicateCalls(batch, 48u << 20) : PlanApiCalls(batch, ApiPlanOptions());
    if (planned.ok()) calls += planned->size();
    batch = {};
    bytes = 0;
  }
};

}  // namespace
}  // namespace cdc::bench

int main(int count, char** values) {
  size_t messages = 1000;
  size_t bytes = 600;
  size_t rounds = 1;
  cdc::bench::Planner planner;
  CLI::App app("from messages to calls");
  app.add_option("--messages", messages);
  app.add_option("--bytes", bytes);
  app.add_option("--rounds", rounds);
  app.add_flag("--replicate", planner.replicate);
  CLI11_PARSE(app, count, values);
  planner.to->name = {"default", "rows"};
  planner.to->collection_id = planner.to->partition_id = 1;
  planner.to->lane = planner.to->pchannel = "bench-rootcoord-dml_0";
  planner.to->vchannel = "bench-rootcoord-dml_0_1v0";
  planner.to->partition = "_default";
  planner.to->primary_key = 100;
  planner.to->primary_key_name = "id";
  std::vector<cdc::Slice> payloads;
  cdc::bench::MilvusMessages source(
      "bench-rootcoord-dml_0", 1'700'000'000'000, bytes, 20'000,
      [&](const std::string& one) { payloads.push_back(cdc::Slice::Own(one)); });
  source.Write(messages * source.rows_per_message());
  for (size_t round = 0; round < rounds; ++round) {
    for (const cdc::Slice& payload : payloads) planner.Take(payload);
    planner.Plan();
  }
  std::printf("{\"calls\": %zu}\n", planner.calls);
  return 0;
}
