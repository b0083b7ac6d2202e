// A section etcd of the configuration as the client's settings. A pure function, any thread.
#pragma once

#include "client/etcd/etcd_client.h"
#include "server/config.h"

namespace cdc {

EtcdConfig ClientConfig(const EtcdSection& section);

}  // namespace cdc
