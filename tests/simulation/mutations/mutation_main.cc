// Runs the simulation with a deliberate mistake in the pipeline: it must be caught.
#include <cstdio>
#include <cstdlib>

#include "simulation.h"

int main(int argc, char** argv) {
  const unsigned long seeds = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000;
  for (unsigned long seed = 0; seed < seeds; ++seed) {
    cdc::sim::Simulation simulation(cdc::sim::Plan::FromSeed(seed));
    const std::string failure = simulation.Run().failure;
    if (failure.empty()) continue;
    std::printf("caught by seed %lu: %s\n", seed, failure.c_str());
    return 0;
  }
  std::printf("NOT caught by %lu seeds\n", seeds);
  return 1;
}
