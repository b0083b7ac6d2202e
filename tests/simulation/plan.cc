#include <algorithm>

#include "base/format.h"
#include "simulation.h"

namespace cdc::sim {

Plan Plan::FromSeed(uint64_t seed) {
  Plan plan;
  plan.seed = seed;
  Random random(seed ^ 0x5EEDull);
  plan.replicate = random.Chance(0.55);
  plan.tasks = random.Chance(0.25) ? 2 : 1;
  plan.source.pchannels = static_cast<int>(random.Between(1, 4));
  plan.source.duplicates = random.Chance(0.5) ? 0.05 : 0;
  plan.source.disorder_ms = random.Chance(0.8) ? 500 : 20;
  plan.target.replicate = plan.replicate;
  plan.workload.max_shards = std::min(plan.source.pchannels, 3);
  plan.target.pchannels = random.Chance(0.5)
                              ? plan.source.pchannels
                              : static_cast<int>(random.Between(plan.workload.max_shards, 5));
  plan.target.settle = random.Millis(200, 1000);
  plan.workload.max_collections = static_cast<int>(random.Between(1, 6));
  plan.workload.pause_ms = random.Between(8, 50);
  plan.workload.ddl = random.Chance(0.3) ? 0.03 : 0.2;
  plan.workload.renames = random.Chance(0.5);
  plan.workload.decorations = random.Chance(0.3);
  plan.map_names = random.Chance(0.3);
  plan.length = random.Millis(4000, 10000);
  if (random.Chance(0.25)) {  // little memory
    plan.source.max_padding = 800;
    plan.source.oversized = 0.01;
    plan.memory_limit = 16 << 10;
    plan.memory_reserve = 2 << 10;
    plan.read_bytes = 4 << 10;
  }
  if (random.Chance(0.3)) {
    plan.window_bytes = 4 << 10;
    plan.fence_ahead_ms = 200;
  }
  const double harm = random.Chance(0.15) ? 0 : random.Chance(0.5) ? 0.3 : 1.0;
  const auto some = [&](double rate) { return random.Chance(0.6) ? rate * harm : 0.0; };
  plan.source_faults.read_error = some(0.03);
  plan.source_faults.slow_read = some(0.02);
  plan.source_faults.refresh_error = some(0.2);
  plan.store_faults.error = some(0.05);
  plan.store_faults.slow = some(0.1);
  plan.target_faults.send_error = some(0.08);
  plan.target_faults.send_slow = some(0.05);
  plan.target_faults.admin_error = some(0.2);
  plan.target_faults.drain_error = some(0.1);
  plan.point_crash = random.Chance(0.5) ? 0 : 0.5;
  if (random.Chance(0.12)) {
    plan.calamity = static_cast<Calamity>(1 + random.Below(plan.tasks > 1 ? 4 : 3));
    plan.calamity_after = random.Millis(500, 4000);
    if (plan.calamity == Calamity::kKeyLost) plan.workload.renames = false;  // its name stays taken
  }
  Random clock(seed ^ 0xC10Cull);
  if (clock.Chance(0.1)) {
    plan.clock_set_after = clock.Millis(0, 4000);
    plan.clock_set_ms = clock.Chance(0.7) ? -3'600'000 : 3'600'000;
  }
  if (plan.point_crash > 0 && clock.Chance(0.4)) {
    plan.rare_points = plan.workload.decorations = true;
    plan.workload.ddl = 0.3;
  }
  Random starts(seed ^ 0x57A7ull);
  if (plan.calamity == Calamity::kNone && starts.Chance(0.2)) {
    plan.starts = true;
    plan.source.duplicates = 0;  // a copy may stand on the other side of a start than its original
  }
  plan.crash = some(0.4);
  plan.restart = some(0.15);
  plan.pause = some(0.15);
  plan.outage = some(0.1);
  plan.etcd_outage = some(0.1);
  return plan;
}

std::string Plan::ToString() const {
  return Format(
      "seed {} {} calamity {} tasks {} channels {}->{} shards {} collections {} ddl {} renames {} "
      "decorations "
      "{} "
      "starts {} memory {} point_crash {} crash {} restart {} pause {} outage {} send_error {} "
      "admin_error "
      "{} store_error "
      "{}",
      seed, replicate ? "replicate" : "api", sim::ToString(calamity), tasks, source.pchannels,
      target.pchannels, workload.max_shards, workload.max_collections, workload.ddl,
      workload.renames, workload.decorations, starts, memory_limit, point_crash, crash, restart,
      pause, outage, target_faults.send_error, target_faults.admin_error, store_faults.error);
}

}  // namespace cdc::sim
