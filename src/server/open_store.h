// Opens the store that metaStoreConfig names. Blocks, up to some seconds with a server that is
// away.
//
// MILVUS_CDC_SECRET_KEY, or the file that MILVUS_CDC_SECRET_KEY_FILE names, is the key with which
// the tokens in it are encrypted: see store/secret_box.h. Without either a SQLite store gets a key
// of its own: server/key_file.h.
#pragma once

#include <memory>

#include "base/result.h"
#include "server/config.h"
#include "server/config_environment.h"
#include "store/store.h"

namespace cdc {

// Errors: kRetry (database away), kInvalid (configuration, rights, key), fatal and corrupt ones of
// the store.
Result<std::unique_ptr<Store>> OpenStore(const MetaStoreConfig& config,
                                         const Environment& environment);

}  // namespace cdc
