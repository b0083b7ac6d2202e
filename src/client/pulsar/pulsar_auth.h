// How to show who we are to a Pulsar broker: the settings authPlugin and authParams, understood.
// Pure function.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace cdc {

struct PulsarAuth {
  enum class Kind { kNone, kToken, kTls, kBasic, kOauth2, kAthenz };
  Kind kind = Kind::kNone;
  // kToken: "token:…", "file:///…" or "env:…". kTls: certificate file. kBasic: user.
  // kOauth2, kAthenz: JSON.
  std::string first;
  std::string second;                // kTls: key file. kBasic: password
  std::vector<std::string> secrets;  // what no log line may show
};

// `plugin`: token, tls, basic, oauth2, athenz, or the Java class of one of them; empty: token when
// there are parameters. `params`: JSON, "key:value,key:value", or
// what libpulsar itself takes for that plugin. Fatal, and never shows a value: not understood.
Result<PulsarAuth> ParsePulsarAuth(const std::string& plugin, const std::string& params);

}  // namespace cdc
