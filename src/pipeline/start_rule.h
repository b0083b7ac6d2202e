// StartRule: which changes of the log lie before the start of their collection in this task.
//
// A channel is read from the earliest start of all collections on it; what the others have there
// before their own start is not theirs to replicate. Immutable; pure.
#pragma once

#include <string>
#include <utility>

#include "model/change.h"
#include "model/task.h"

namespace cdc {

class StartRule {
 public:
  enum class Place {
    kBefore,      // does not count: passed over
    kMayBeThere,  // counts, and the target may hold it already, from elsewhere
    kCounts,
  };

  explicit StartRule(TaskStart start)
      : start_(std::move(start)), any_(!start_.collections.empty()) {}

  // For changes that belong to one collection; `channel` is the pchannel that holds it.
  Place PlaceOf(const std::string& channel, const Change& change) const {
    return any_ ? Look(channel, change) : Place::kCounts;
  }

 private:
  Place Look(const std::string& channel, const Change& change) const;

  const TaskStart start_;
  const bool any_;
};

}  // namespace cdc
