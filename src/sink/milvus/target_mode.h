// Which way of writing a target is given: asked of the target once, when a task is created.
#pragma once

#include <string>

#include "base/result.h"
#include "model/task.h"

namespace cdc {

struct ResolvedMode {
  TargetMode mode = TargetMode::kApi;  // never kAuto
  std::string reason;                  // for people
  std::string version;                 // of the target; empty for kBlackhole
};

// Blocks for up to some seconds (address.connect_timeout_seconds while the target is unreachable);
// from any thread that may. Leaves no trace on the target. Errors: kRetry kUnavailable (cannot
// reach it), kInvalid (wrong token), kNotStandby and kStandby (wrong mode for this target); each
// says what to do.
Result<ResolvedMode> ResolveMode(TargetMode requested, const TargetAddress& address);

}  // namespace cdc
