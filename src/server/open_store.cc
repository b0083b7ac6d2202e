#include "server/open_store.h"

#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "server/etcd_settings.h"
#include "server/key_file.h"
#include "store/etcd_kv.h"
#include "store/kv_tables.h"
#include "store/mysql_kv.h"
#include "store/sealed_tables.h"
#include "store/sqlite_store.h"
#include "store/threaded_store.h"

namespace cdc {
namespace {

std::string Variable(const Environment& environment, const std::string& name) {
  const auto at = environment.find(name);
  return at == environment.end() ? "" : at->second;
}

// Null: no key is set.
Result<std::unique_ptr<SecretBox>> MakeBox(const MetaStoreConfig& config,
                                           const Environment& environment) {
  std::string key = Variable(environment, kSecretKeyVariable);
  std::string whose = std::string(kSecretKeyVariable) + "_FILE";
  std::string file = Variable(environment, whose);
  if (!file.empty() && !key.empty()) {
    return InvalidError(Format("{} and {} are both set: keep one", kSecretKeyVariable, whose));
  }
  if (file.empty() && key.empty() && config.store_type == "sqlite") {
    file = KeyFileBeside(config.sqlite_path);
    whose = "the key of the tokens in the store";
  }
  if (!file.empty()) {
    const Result<std::string> read = ReadValue(file);
    if (!read.ok()) return read.error().Prefixed(whose);
    if (read->empty()) return InvalidError(Format("{}: {} is empty", whose, file));
    key = *read;
  }
  if (key.empty()) return std::unique_ptr<SecretBox>();
  return SecretBox::Make(key);
}

Result<std::unique_ptr<StoreTables>> OpenTables(const MetaStoreConfig& config) {
  if (config.store_type == "etcd") {
    Result<std::unique_ptr<KvDb>> db = OpenEtcdKv(ClientConfig(config.etcd), config.root_path);
    if (!db.ok()) return db.error().Prefixed("metaStoreConfig.etcd");
    return OpenKvTables(*std::move(db));
  }
  if (config.store_type == "mysql") {
    CDC_ASSIGN_OR_RETURN(std::unique_ptr<KvDb> db,
                         OpenMysqlKv(config.mysql_source_url, config.root_path));
    return OpenKvTables(std::move(db));
  }
  return OpenSqliteTables(config.sqlite_path);
}

}  // namespace

Result<std::unique_ptr<Store>> OpenStore(const MetaStoreConfig& config,
                                         const Environment& environment) {
  CDC_ASSIGN_OR_RETURN(std::unique_ptr<StoreTables> tables, OpenTables(config));
  CDC_ASSIGN_OR_RETURN(std::unique_ptr<SecretBox> box, MakeBox(config, environment));
  const bool sealed = box != nullptr;
  CDC_ASSIGN_OR_RETURN(tables, OpenSealedTables(std::move(tables), std::move(box)));
  if (!sealed && config.store_type != "sqlite") {
    LogWarn("tokens of targets are kept in clear in {}; set {} to encrypt them", config.store_type,
            kSecretKeyVariable);
  }
  return MakeThreadedStore(std::move(tables));
}

}  // namespace cdc
