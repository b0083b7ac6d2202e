#include "source/rbac_keys.h"

#include <algorithm>

namespace cdc {
namespace {

struct Path {
  std::string_view path;
  RbacKey::Kind kind;
  size_t parts;
};

constexpr Path kPaths[] = {
    {"root-coord/credential/users/", RbacKey::Kind::kUser, 1},
    {"root-coord/credential/roles/", RbacKey::Kind::kRole, 1},
    {"root-coord/credential/user-role-mapping/", RbacKey::Kind::kBinding, 2},
    {"root-coord/credential/grantee-privileges/", RbacKey::Kind::kGrantee, 3},
    {"root-coord/credential/grantee-id/", RbacKey::Kind::kPrivilege, 2},
    {"root-coord/privilege-group/", RbacKey::Kind::kGroup, 1},
};

}  // namespace

std::optional<RbacKey> ParseRbacKey(std::string_view prefix, std::string_view key) {
  if (!key.starts_with(prefix)) return std::nullopt;
  key.remove_prefix(prefix.size());
  for (const Path& path : kPaths) {
    if (!key.starts_with(path.path)) continue;
    key.remove_prefix(path.path.size());
    RbacKey out{path.kind, {}};
    for (;;) {
      const size_t slash = key.find('/');
      out.parts.emplace_back(key.substr(0, slash));
      if (slash == std::string_view::npos) break;
      key.remove_prefix(slash + 1);
    }
    const bool whole = out.parts.size() == path.parts &&
                       std::none_of(out.parts.begin(), out.parts.end(),
                                    [](const std::string& part) { return part.empty(); });
    return whole ? std::optional(std::move(out)) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace cdc
