// What the preflight asks, answered by the real source and the real target.
#pragma once

#include <memory>
#include <string>

#include "model/task.h"
#include "server/preflight.h"
#include "server/source_runtime.h"

namespace cdc {

// `source` outlives it.
std::unique_ptr<PreflightSource> ProbeSource(const SourceRuntime* source);
// Errors: kInvalid (certificate files). Does not connect.
Result<std::unique_ptr<PreflightTarget>> ProbeTarget(const TargetAddress& address);

// Ports with both of these, a real clock, and no other tasks.
PreflightPorts RealPorts(PreflightSource* source);

}  // namespace cdc
