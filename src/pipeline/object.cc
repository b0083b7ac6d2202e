#include "pipeline/object.h"

#include <algorithm>

#include "base/format.h"

namespace cdc {

const char* ToString(ObjectPhase phase) {
  switch (phase) {
    case ObjectPhase::kPending:
      return "creating";
    case ObjectPhase::kReady:
      return "streaming";
    case ObjectPhase::kQuiet:
      return "renaming";
    case ObjectPhase::kDropping:
      return "dropping";
    case ObjectPhase::kGone:
      return "gone";
  }
  return "?";
}

TargetName Object::SwapName() const {
  return {name.database, Format("cdc_swap_{}", id)};
}

std::vector<TargetName> Object::PossibleNames() const {
  if (!record) return {parked ? SwapName() : name};
  std::vector<TargetName> names = {record->name};
  for (const TargetName& next : {record->moving_to, name, SwapName()}) {
    if (next.collection.empty()) continue;
    if (std::find(names.begin(), names.end(), next) == names.end()) names.push_back(next);
  }
  return names;
}

std::string Object::TroubleKey() const {
  return Format("object {}", id);
}

}  // namespace cdc
