// The request_data of a create request: read, then validated into a TaskSpec. Private to the
// request parser. Pure functions.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/task.h"
#include "server/json_fields.h"
#include "server/request.h"

namespace cdc {

struct MilvusFields {
  bool given = false;
  std::string uri, host, username, password, token, mode;
  int port = 0, channel_num = 0, connect_timeout = 0;
  bool enable_tls = false, ignore_partition = false;
  std::string server_name, server_pem_path, ca_pem_path, client_pem_path, client_key_path;
};

struct KafkaFields {
  std::string address, topic;
  bool enable_sasl = false;
  std::string sasl_username, sasl_password, sasl_mechanisms, sasl_protocol;
};

struct CollectionFields {
  std::string name;
  std::map<std::string, std::string> positions;
  bool use_start_position = false;
};

struct CreateFields {
  MilvusFields milvus;
  KafkaFields kafka;
  bool blackhole = false;
  std::vector<CollectionFields> collection_infos;
  std::map<std::string, std::vector<CollectionFields>> db_collections;
  std::vector<NameMapping> name_mapping;
  std::vector<std::string> exclude_collections;
  std::string rpc_channel_name, rpc_channel_position;
  bool enable_user_role = false, disable_auto_start = false, adopt = false;
  int cache_period = 0, cache_size = 0;
  std::string task_id, load, drops;
};

// Reads with types checked; mistakes go to `errors`.
CreateFields ReadCreate(const nlohmann::json& data, FieldErrors* errors);
// kInvalid with the message of the first rule that is broken; corrupt for a position that is none.
Result<TaskSpec> ValidateCreate(const CreateFields& fields, const RequestLimits& limits);

// Parts of ValidateCreate.
Result<TargetAddress> ValidateMilvus(const MilvusFields& fields);
Status ValidateSelection(const CreateFields& fields, const RequestLimits& limits,
                         Selection* selection, StartRequest* start);
// What get and list show of the request: TaskSpec::request_json.
std::string EchoOf(const CreateFields& fields);

}  // namespace cdc
