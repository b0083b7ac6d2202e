// A thousand replications under random faults. Each seed is one run; see simulation.h.
//
//   CDC_SIM_SEED=42 ./simulation_test     that one seed, with CDC_SIM_TRACE=1 every step of it
//   (CDC_SIM_FAULTS=0: without faults)
//   CDC_SIM_SEEDS=20000 ./simulation_test more of them
#include "simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace cdc::sim {
namespace {

constexpr uint64_t kParts = 10;

uint64_t Env(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

Outcome RunSeed(uint64_t seed, bool faults) {
  Plan plan = Plan::FromSeed(seed);
  if (!faults) {
    plan.source_faults = {};
    plan.store_faults = {};
    plan.target_faults = {};
    plan.point_crash = plan.crash = plan.restart = plan.pause = plan.outage = plan.etcd_outage = 0;
  }
  plan.trace = std::getenv("CDC_SIM_TRACE") != nullptr;
  Simulation simulation(plan);
  Outcome outcome = simulation.Run();
  if (!outcome.failure.empty()) {
    outcome.failure += "\n  " + plan.ToString() +
                       "\n  run it: CDC_SIM_SEED=" + std::to_string(seed) +
                       " CDC_SIM_TRACE=1 ./simulation_test";
  }
  return outcome;
}

class SimulationTest : public testing::TestWithParam<uint64_t> {};

TEST_P(SimulationTest, EverySeedEndsEqual) {
  const char* one = std::getenv("CDC_SIM_SEED");
  if (one != nullptr) {
    if (GetParam() != 0) GTEST_SKIP() << "one seed only";
    const Outcome outcome = RunSeed(Env("CDC_SIM_SEED", 0), Env("CDC_SIM_FAULTS", 1) != 0);
    EXPECT_EQ(outcome.failure, "");
    return;
  }
  const uint64_t seeds = Env("CDC_SIM_SEEDS", CDC_SIM_DEFAULT_SEEDS);
  const uint64_t enough = Env("CDC_SIM_FAILURES", 3);
  uint64_t failed = 0;
  Outcome all;
  for (uint64_t seed = GetParam(); seed < seeds && failed < enough; seed += kParts) {
    const Outcome outcome = RunSeed(seed, true);
    EXPECT_EQ(outcome.failure, "") << (++failed, "seed ") << seed;
    all.lives += outcome.lives;
    all.replayed += outcome.replayed;
    all.rows += outcome.rows;
    all.late += outcome.late;
    for (const auto& [name, count] : outcome.points) {
      all.points[name].passed += count.passed;
      all.points[name].crashed += count.crashed;
    }
  }
  if (std::getenv("CDC_SIM_POINTS") != nullptr) {
    for (const auto& [name, count] : all.points) {
      std::printf("point %lu %lu %s\n", count.crashed, count.passed, name.c_str());
    }
  }
  // The faults did happen.
  EXPECT_GT(all.rows, 0u);
  if (seeds >= 1000 && failed == 0) {
    EXPECT_GT(all.lives, seeds / kParts);
    EXPECT_GT(all.replayed, 0u);
    EXPECT_GT(all.late, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Part, SimulationTest, testing::Range<uint64_t>(0, kParts));

TEST(SimulationWithoutFaults, EndsEqual) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const Outcome outcome = RunSeed(seed, false);
    ASSERT_EQ(outcome.failure, "") << "seed " << seed << " without faults";
  }
}

TEST(SimulationItself, SameSeedSameRun) {
  const Outcome a = RunSeed(7, true);
  const Outcome b = RunSeed(7, true);
  EXPECT_EQ(a.events, b.events);
  EXPECT_EQ(a.calls, b.calls);
  EXPECT_EQ(a.failure, b.failure);
}

}  // namespace
}  // namespace cdc::sim
