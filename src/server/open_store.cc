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
  const std::string file_variable = std::string(kSecretKeyVariable) + "_FILE";
  const std::string file = Variable(environment, file_variable);
  if (!file.empty()) {
    if (!key.empty()) {
      return InvalidError(
          Format("{} and {} are both set: keep one", kSecretKeyVariable, file_variable));
    }
    bool expanded = false;
    const Result<std::string> read =
        ExpandReferences("${file:" + file + "}", environment, &expanded);
    if (!read.ok()) return read.error().Prefixed(file_variable);
    if (read->empty()) return InvalidError(Format("{}: {} is empty", file_variable, file));
    key = *read;
  }
  const bool a_file_of_ours = config.store_type != "etcd" && config.store_type != "mysql";
  if (key.empty() && a_file_of_ours) {
    CDC_ASSIGN_OR_RETURN(key, KeyBeside(config.sqlite_path));
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
