#include "sink/milvus/target_mode.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/format.h"
#include "client/milvus/milvus_client.h"

namespace cdc {
namespace {

using namespace std::chrono_literals;

// The version, asked again while the target cannot be reached, within the connect timeout.
Result<std::string> ReachTarget(MilvusClient& client, const TargetAddress& address) {
  const auto deadline = std::chrono::steady_clock::now() +
                        std::chrono::seconds(std::max(address.connect_timeout_seconds, 1));
  while (true) {
    auto version =
        Await<Result<std::string>>([&](auto done) { client.GetVersion(std::move(done)); });
    if (version || !version.error().IsRetry() || std::chrono::steady_clock::now() > deadline) {
      return version;
    }
    std::this_thread::sleep_for(100ms);
  }
}

Error Unreachable(const MilvusClient& client, const TargetAddress& address, const Error& error) {
  // That a certificate is missing or wrong a server tells behind the handshake, if at all.
  const char* advice = !error.IsRetry() ? ""
                       : address.tls
                           ? "; check the address, that it runs and speaks TLS, the token, and "
                             "whether it asks for a client certificate of its own authority"
                           : "; check the address, that it runs, and the token";
  return {error.disposition, error.kind,
          Format("cannot reach Milvus at {}: {}{}", client.endpoint(), error.message, advice)};
}

}  // namespace

Result<ResolvedMode> ResolveMode(TargetMode requested, const TargetAddress& address) {
  if (requested == TargetMode::kBlackhole) {
    return ResolvedMode{requested, "asked for: everything is accepted and nothing written", ""};
  }
  CDC_ASSIGN_OR_RETURN(const auto client, MilvusClient::Open(address));
  auto version = ReachTarget(*client, address);
  if (!version) return Unreachable(*client, address, version.error());
  auto able = Await<Result<TargetMode>>([&](auto done) { client->ProbeMode(std::move(done)); });
  if (!able) return Unreachable(*client, address, able.error());
  const bool standby = *able == TargetMode::kReplicate;
  const std::string what = Format("Milvus {} at {}", *version, client->endpoint());
  if (requested == TargetMode::kReplicate && !standby) {
    return FatalError(
        what +
            " is not a standby: mode replicate needs a standby target (Milvus 2.3.2 to 2.5): set "
            "common.ttMsgEnabled=false on it and restart it, or use mode api",
        ErrorKind::kNotStandby);
  }
  if (requested == TargetMode::kApi && standby) {
    return FatalError(what +
                          " is a standby and refuses plain writes: use mode replicate, or set "
                          "common.ttMsgEnabled=true on it and restart it",
                      ErrorKind::kStandby);
  }
  const char* asked = requested == TargetMode::kAuto ? "" : "asked for; ";
  if (standby) {
    return ResolvedMode{TargetMode::kReplicate,
                        Format("{}{} is a standby: rows keep their source timestamps", asked, what),
                        *version};
  }
  return ResolvedMode{
      TargetMode::kApi,
      Format("{}{} takes plain writes only: it gives rows its own timestamps", asked, what),
      *version};
}

}  // namespace cdc
