// The maintenance request of POST /cdc.
#pragma once

#include <string>

namespace cdc {

// Carries out `operation` and returns what to tell the user, errors too. `params`: the JSON text of
// the request's params, empty for none.
//   set_log_level      {log_level}
//   set_force_log_msg  {force}             accepted and without effect: no row is ever logged here
//   reset_log_msg      {count, duration}   the same
// Safe from any thread.
std::string Maintain(const std::string& operation, const std::string& params);

}  // namespace cdc
