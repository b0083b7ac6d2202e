// PulsarConnection over libpulsar: one client of it, with its threads and connections.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "client/pulsar/libpulsar.h"
#include "client/pulsar/pulsar_connection.h"
#include "client/pulsar/pulsar_log.h"

namespace cdc {

// Does not connect yet. Fatal errors: options that cannot be used, no library.
Result<std::unique_ptr<PulsarConnection>> OpenPulsarConnection(const PulsarOptions& options);

// The parts of the above, for measuring libpulsar alone (bare_pulsar_reader.cc).
Result<std::string> PulsarServiceUrl(const std::string& address);
Result<libpulsar::Client*> MakePulsarClient(const libpulsar::Functions* lib,
                                            const PulsarOptions& options);
std::string PulsarTopic(const PulsarOptions& options, const std::string& channel);

}  // namespace cdc
