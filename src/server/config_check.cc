#include "server/config_check.h"

#include <ostream>

#include "server/access.h"
#include "server/config_reading.h"
#include "store/mysql_dsn.h"

namespace cdc {
namespace {

Status CheckMetaStore(const MetaStoreConfig& store) {
  if (store.store_type != "mysql") return OkStatus();
  const Result<MysqlDsn> dsn = ParseMysqlDsn(store.mysql_source_url);
  return dsn.ok() ? OkStatus() : Status(dsn.error());
}

}  // namespace

int CheckConfig(const std::string& path, bool show, const Environment& environment,
                std::ostream& out, std::ostream& err) {
  ConfigReading reading = ReadConfigFile(path, environment);
  for (const Status& status :
       {CheckSupported(reading.config), CheckTls(ListenerOptions(reading.config).tls),
        CheckMetaStore(reading.config.meta_store)}) {
    if (!status.ok()) reading.errors.push_back(status.error().message);
  }
  for (const std::string& error : reading.errors) err << error << "\n";
  for (const std::string& warning : ListenerWarnings(reading.config)) {
    err << "warning: " << warning << "\n";
  }
  if (show) out << ShowConfig(reading.entries);
  if (!reading.errors.empty()) return 2;
  if (!show) out << (path.empty() ? "no configuration file, default settings" : path) << ": ok\n";
  return 0;
}

}  // namespace cdc
