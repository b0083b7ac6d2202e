// A KvDb in MySQL or MariaDB: the table `milvus_cdc_kv` (InnoDB), which is made when it is missing;
// keys below `<root path>/milvus-cdc/`. For store/ and whoever opens a store. A connection that was
// lost is opened again by the next call.
#pragma once

#include <memory>
#include <string>

#include "store/kv_db.h"

namespace cdc {

// `dsn` as the Go driver writes it: see mysql_dsn.h. Connects with the first call. Errors:
// kInvalid.
Result<std::unique_ptr<KvDb>> OpenMysqlKv(const std::string& dsn, const std::string& root_path);

}  // namespace cdc
