// Where the existing Milvus-CDC keeps its tasks, and how they come from there into our store.
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/format.h"
#include "base/json_text.h"
#include "client/etcd/etcd_client.h"
#include "server/etcd_settings.h"
#include "server/import_go.h"
#include "server/source_runtime.h"
#include "server/target_identity.h"
#include "server/task_plan.h"
#include "store/mysql_db.h"

namespace cdc {
namespace {

using nlohmann::json;

constexpr int64_t kKeysPerPage = 500;
constexpr char kTaskRows[] = "SELECT task_info_key, task_info_value FROM task_info";
constexpr char kPositionRows[] =
    "SELECT task_position_key, task_id, collection_id, task_position_value, target_position_value "
    "FROM task_position";

Result<std::vector<std::string>> ReadPrefix(EtcdClient& etcd, const std::string& prefix) {
  CDC_ASSIGN_OR_RETURN(EtcdPage page, etcd.RangeAll(EtcdInterval::Prefix(prefix), kKeysPerPage));
  std::vector<std::string> values;
  for (EtcdKeyValue& kv : page.kvs) values.push_back(std::move(kv.value));
  return values;
}

Result<GoRecords> ReadEtcd(const MetaStoreConfig& config) {
  CDC_ASSIGN_OR_RETURN(const auto etcd, EtcdClient::Open(ClientConfig(config.etcd)));
  GoRecords records;
  CDC_ASSIGN_OR_RETURN(records.tasks, ReadPrefix(*etcd, config.root_path + "/task_info/"));
  CDC_ASSIGN_OR_RETURN(records.positions, ReadPrefix(*etcd, config.root_path + "/task_position/"));
  return records;
}

// A JSON column; one that is NULL, or no JSON, is left out.
void Put(const char* name, const std::string& text, json* record) {
  json value = json::parse(text, nullptr, false);
  if (!value.is_discarded()) (*record)[name] = std::move(value);
}

// A row in the form that etcd has it in.
std::string PositionRecord(const MysqlDb::Row& row) {
  json record = {{"TaskID", row[1]}};
  Put("CollectionID", row[2], &record);
  Put("Positions", row[3], &record);
  Put("TargetPositions", row[4], &record);
  return JsonLine(record);
}

Result<GoRecords> ReadMysql(const MetaStoreConfig& config) {
  CDC_ASSIGN_OR_RETURN(const MysqlDsn dsn, ParseMysqlDsn(config.mysql_source_url));
  CDC_ASSIGN_OR_RETURN(const auto db, MysqlDb::Connect(dsn));
  GoRecords records;
  CDC_ASSIGN_OR_RETURN(const std::vector<MysqlDb::Row> tasks, db->Query(kTaskRows, {}));
  for (const MysqlDb::Row& row : tasks) {
    if (row[0].starts_with(config.root_path + "/task_info/")) records.tasks.push_back(row[1]);
  }
  CDC_ASSIGN_OR_RETURN(const std::vector<MysqlDb::Row> positions, db->Query(kPositionRows, {}));
  for (const MysqlDb::Row& row : positions) {
    if (!row[0].starts_with(config.root_path + "/task_position/")) continue;
    records.positions.push_back(PositionRecord(row));
  }
  return records;
}

Result<GoRecords> ReadAny(const MetaStoreConfig& config) {
  if (config.store_type == "etcd") return ReadEtcd(config);
  if (config.store_type == "mysql") return ReadMysql(config);
  return InvalidError(
      "tasks of an existing Milvus-CDC are in etcd or mysql; set "
      "metaStoreConfig.storeType, and the address, to what its cdc.yaml has");
}

}  // namespace

Result<GoRecords> ReadGoRecords(const MetaStoreConfig& config) {
  CDC_ASSIGN_OR_RETURN(GoRecords records, ReadAny(config));
  if (!records.tasks.empty()) return records;
  return FatalError(
      Format("there is no task of an existing Milvus-CDC in {} under '{}/task_info/'; "
             "metaStoreConfig.rootPath must be the one of its cdc.yaml",
             config.store_type, config.root_path),
      ErrorKind::kNotFound);
}

Result<GoImport> ImportGoTasks(const ServerConfig& config, const MetaStoreConfig& from,
                               const std::set<std::string>& ids, Store* store) {
  CDC_ASSIGN_OR_RETURN(const GoRecords records, ReadGoRecords(from));
  CDC_ASSIGN_OR_RETURN(const auto source, SourceRuntime::Open(config.source));
  CDC_ASSIGN_OR_RETURN(const CatalogUpdate catalog, source->ListCatalog());
  GoImportOptions options;
  options.limits.max_name_length = config.max_name_length;
  options.limits.replicate_channel = config.source.replicate_channel;
  options.log = config.source.log;
  options.now_ms = SystemClock().WallMillis();
  options.identity = IdentityOf;
  options.channels = [&](const Selection& selection) -> Result<std::set<std::string>> {
    CDC_ASSIGN_OR_RETURN(PlannedSource plan, PlanSource(selection, catalog));
    return plan.channels;
  };
  GoImport import = TranslateGoRecords(records, options);
  ChooseTasks(ids, &import);
  if (store != nullptr) CDC_RETURN_IF_ERROR(AddToStore(&import, store));
  return import;
}

}  // namespace cdc
