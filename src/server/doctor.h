// `milvus-cdc doctor`: the preflight without a server that runs.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "server/config.h"
#include "server/finding.h"

namespace cdc {

// Looks at the source that the configuration names and, unless `request` is empty, at the task of
// that create request (its request_data as JSON text) and its target. What was found goes to `out`,
// as lines or as the JSON of /api/v1/preflight. Returns the exit code: 0; 1 when something is
// wrong; 2 when the request is (told on `err`). Blocks for seconds.
int RunDoctor(const ServerConfig& config, const std::string& request, bool json, std::ostream& out,
              std::ostream& err);

// One or two lines for each: "ERROR source.etcd: what", "      what to do".
void PrintFindings(const std::vector<Finding>& findings, std::ostream& out);

}  // namespace cdc
