#include "client/etcd/etcd_client.h"

namespace cdc {

EtcdInterval EtcdInterval::Prefix(std::string prefix) {
  std::string end = prefix;
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (end.empty()) {
    end = std::string(1, '\0');  // etcd: from `begin` to the last key
  } else {
    end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  }
  if (prefix.empty()) prefix = std::string(1, '\0');
  return {std::move(prefix), std::move(end)};
}

}  // namespace cdc
