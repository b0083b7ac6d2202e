#include "client/pulsar/pulsar_auth.h"

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/format.h"
#include "base/json_text.h"

namespace cdc {
namespace {

using Kind = PulsarAuth::Kind;
using Params = std::map<std::string, std::string>;

constexpr std::string_view kJavaPackage = "org.apache.pulsar.client.impl.auth.";

std::optional<Kind> KindOf(std::string plugin, bool has_params) {
  static const std::map<std::string, Kind> kKinds = {
      {"token", Kind::kToken},   {"AuthenticationToken", Kind::kToken},
      {"tls", Kind::kTls},       {"AuthenticationTls", Kind::kTls},
      {"basic", Kind::kBasic},   {"AuthenticationBasic", Kind::kBasic},
      {"oauth2", Kind::kOauth2}, {"oauth2.AuthenticationOAuth2", Kind::kOauth2},
      {"athenz", Kind::kAthenz}, {"AuthenticationAthenz", Kind::kAthenz},
  };
  if (plugin.empty()) return has_params ? Kind::kToken : Kind::kNone;
  if (plugin.starts_with(kJavaPackage)) plugin.erase(0, kJavaPackage.size());
  const auto found = kKinds.find(plugin);
  if (found == kKinds.end()) return std::nullopt;
  return found->second;
}

std::string Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

// JSON, or key:value,key:value; a value may contain colons. nullopt: neither.
std::optional<Params> ParseParams(const std::string& text) {
  Params params;
  if (Trim(text).starts_with('{')) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return std::nullopt;
    for (const auto& [key, value] : json.items()) {
      params[key] = value.is_string() ? value.get<std::string>() : value.dump();
    }
    return params;
  }
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = Trim(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
    if (part.empty()) continue;
    const size_t colon = part.find(':');
    if (colon == std::string::npos) return std::nullopt;
    params[Trim(part.substr(0, colon))] = Trim(part.substr(colon + 1));
  }
  return params;
}

Error Lacks(const std::string& plugin, std::string_view what) {
  return InvalidError(Format("the Pulsar auth plugin {} needs authParams with {}", plugin, what));
}

Result<PulsarAuth> Token(const std::string& plugin, const std::string& text,
                         const std::optional<Params>& params) {
  PulsarAuth auth{Kind::kToken, {}, {}, {}};
  if (!params) {  // the token by itself
    auth.first = "token:" + Trim(text);
    auth.secrets = {Trim(text)};
    return auth;
  }
  for (const char* source : {"token", "file", "env"}) {
    const auto found = params->find(source);
    if (found == params->end() || found->second.empty()) continue;
    auth.first = Format("{}:{}", source, found->second);
    if (found->first == "token") auth.secrets = {found->second};
    // libpulsar takes the rest as the path.
    if (found->first == "file" && !found->second.starts_with("//")) {
      auth.first = "file://" + found->second;
    }
    return auth;
  }
  return Lacks(plugin, "token or file");
}

Result<PulsarAuth> Pair(Kind kind, const std::string& plugin, const std::optional<Params>& params,
                        const std::string& first, const std::string& second) {
  if (!params || !params->contains(first) || !params->contains(second)) {
    return Lacks(plugin, first + " and " + second);
  }
  PulsarAuth auth{kind, params->at(first), params->at(second), {}};
  if (kind == Kind::kBasic) auth.secrets = {auth.second};
  return auth;
}

// libpulsar's names of what the Go client calls otherwise.
Result<PulsarAuth> Document(Kind kind, const std::string& plugin, const std::string& text,
                            const std::optional<Params>& params) {
  if (!params || params->empty()) return Lacks(plugin, "JSON or key:value pairs");
  static const Params kNames = {{"issuerUrl", "issuer_url"},
                                {"privateKey", "private_key"},
                                {"clientId", "client_id"},
                                {"clientSecret", "client_secret"}};
  PulsarAuth auth{kind, {}, {}, {text}};
  auto json = nlohmann::json::object();
  for (const auto& [key, value] : *params) {
    const auto other = kNames.find(key);
    json[kind == Kind::kOauth2 && other != kNames.end() ? other->second : key] = value;
    if (key.find("ecret") != std::string::npos) auth.secrets.push_back(value);
  }
  auth.first = JsonLine(json);
  auth.secrets.push_back(auth.first);
  return auth;
}

}  // namespace

Result<PulsarAuth> ParsePulsarAuth(const std::string& plugin, const std::string& params) {
  const auto kind = KindOf(plugin, !params.empty());
  if (!kind) {
    return InvalidError(
        Format("unknown Pulsar auth plugin {}: it is one of token, tls, basic, oauth2 and athenz",
               plugin));
  }
  const auto parsed = ParseParams(params);
  switch (*kind) {
    case Kind::kNone:
      return PulsarAuth{};
    case Kind::kToken:
      return Token(plugin, params, parsed);
    case Kind::kTls:
      return Pair(*kind, plugin, parsed, "tlsCertFile", "tlsKeyFile");
    case Kind::kBasic:
      return Pair(*kind, plugin, parsed, "username", "password");
    case Kind::kOauth2:
    case Kind::kAthenz:
      return Document(*kind, plugin, params, parsed);
  }
  return PulsarAuth{};
}

}  // namespace cdc
