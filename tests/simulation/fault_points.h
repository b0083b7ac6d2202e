// FaultPoints: named moments around every call of ours into the world, at each of which our process
// can die. One per run, on the simulation's thread.
//
// A name is what is called and how far it got: "apply create collection: called" (on its way),
// "...: landed" (done there, not answered), "...: answered" (and whatever follows from the answer
// at once). The process dies when the callback at hand has returned, before anything else happens.
#pragma once

#include <map>
#include <string>

#include "sim_random.h"

namespace cdc::sim {

class FaultPoints {
 public:
  struct Count {
    uint64_t passed = 0;
    uint64_t crashed = 0;
    bool watched = false;
  };
  // Each run looks at some of the points, and at all rare ones; at these alone when a process that
  // dies all the time would never get there. `rate` is the chance that the
  // process dies when one of them is passed first; at the n-th passing it is an n-th of that, so
  // that a point which is passed rarely is hit as often as one that is passed all the time.
  FaultPoints(Random random, double rate, bool rare_only, int most)
      : random_(random), rate_(rate), rare_only_(rare_only), left_(rate > 0 ? most : 0) {}

  void At(const std::string& name) {
    Count& count = counts_[name];
    ++count.passed;
    if (left_ == 0 || !due_.empty()) return;
    if (count.passed == 1) {
      count.watched = IsRare(name) || (!rare_only_ && random_.Chance(1.0 / kShare));
    }
    if (!count.watched) return;
    if (random_.Chance(rate_ / static_cast<double>(count.passed))) due_ = name;
  }
  bool due() const { return !due_.empty(); }
  // The process died at name().
  void Crashed() {
    ++counts_[due_].crashed;
    --left_;
    due_.clear();
  }
  const std::string& name() const { return due_; }
  void Heal() {
    left_ = 0;
    due_.clear();
  }
  const std::map<std::string, Count>& counts() const { return counts_; }

 private:
  static constexpr double kShare = 8;

  // Few runs come by these at all.
  static bool IsRare(const std::string& name) {
    for (const char* part : {"load", "release", "alias", "index", "drop partition", ": failed"}) {
      if (name.find(part) != std::string::npos) return true;
    }
    return false;
  }

  Random random_;
  const double rate_;
  const bool rare_only_;
  int left_;
  std::string due_;
  std::map<std::string, Count> counts_;
};

}  // namespace cdc::sim
