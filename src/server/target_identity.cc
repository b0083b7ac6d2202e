#include "server/target_identity.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <set>

#include "base/format.h"

namespace cdc {

std::string TargetIdentity(const TargetAddress& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::string host = address.host;
  if (getaddrinfo(address.host.c_str(), nullptr, &hints, &found) == 0 && found != nullptr) {
    std::set<std::string> all;  // a name may have several addresses, in any order
    for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
      char text[INET6_ADDRSTRLEN] = {};
      const void* raw = at->ai_family == AF_INET
                            ? static_cast<const void*>(
                                  &reinterpret_cast<const sockaddr_in*>(at->ai_addr)->sin_addr)
                            : &reinterpret_cast<const sockaddr_in6*>(at->ai_addr)->sin6_addr;
      inet_ntop(at->ai_family, raw, text, sizeof(text));
      all.insert(std::string(text) == "::1" ? "127.0.0.1" : text);
    }
    host = *all.begin();
  }
  if (found != nullptr) freeaddrinfo(found);
  return Format("milvus/{}:{}", host, address.port);
}

std::string IdentityOf(const TaskSpec& spec) {
  return spec.mode == TargetMode::kBlackhole ? "blackhole/" + spec.id : TargetIdentity(spec.target);
}

}  // namespace cdc
