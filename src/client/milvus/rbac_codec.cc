#include "client/milvus/rbac_codec.h"

#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/wire.h"

namespace cdc {
namespace {

constexpr std::string_view kGroupWord = "PrivilegeGroup";
constexpr std::string_view kPrivilegeWord = "Privilege";
// milvus.PrivilegeGroupInfo and PrivilegeEntity
constexpr uint32_t kGroupName = 1;
constexpr uint32_t kGroupPrivileges = 2;
constexpr uint32_t kPrivilegeName = 1;

}  // namespace

Result<std::string> DecodePasswordHash(std::string_view value) {
  const auto json = nlohmann::json::parse(value.begin(), value.end(), nullptr, false);
  const auto hash = json.is_object() ? json.find("encrypted_password") : json.end();
  if (hash == json.end() || !hash->is_string()) {
    return CorruptError(Format("{} bytes in etcd are not a user's credential", value.size()));
  }
  return hash->get<std::string>();
}

Result<PrivilegeGroupValue> DecodePrivilegeGroup(std::string_view value) {
  PrivilegeGroupValue group;
  bool good = true;
  WireReader reader(value);
  while (reader.Next()) {
    if (reader.Is(kGroupName, WireType::kBytes)) group.name = reader.bytes();
    if (!reader.Is(kGroupPrivileges, WireType::kBytes)) continue;
    WireReader privilege(reader.bytes());
    while (privilege.Next()) {
      const bool name = privilege.Is(kPrivilegeName, WireType::kBytes);
      if (name) group.privileges.emplace(privilege.bytes());
    }
    good = good && privilege.ok();
  }
  if (!good || !reader.ok() || group.name.empty()) {
    return CorruptError(Format("{} bytes in etcd are not a privilege group", value.size()));
  }
  return group;
}

PrivilegeValue PrivilegeFromMeta(std::string_view stored) {
  if (stored.starts_with(kGroupWord)) {
    return {std::string(stored.substr(kGroupWord.size())), true};
  }
  if (stored.starts_with(kPrivilegeWord)) stored.remove_prefix(kPrivilegeWord.size());
  return {std::string(stored), false};
}

}  // namespace cdc
