// The server as a whole: the only place that names concrete classes.
#pragma once

#include "server/config.h"

namespace cdc {

// Runs until a signal; returns the exit code of the process. See server/shell.h.
int RunServer(const ServerConfig& config);

}  // namespace cdc
