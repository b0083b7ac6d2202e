// Answers of POST /cdc as JSON text: {"code":int,"message"?:string,"data"?:object}. Pure functions.
//
// A Task holds the fields of the existing Milvus-CDC (task_id, milvus_connect_param without
// username, password and token, kafka_connect_param, collection_infos, db_collections, state,
// reason unless empty) and besides: what create was given (name_mapping, exclude_collections,
// adopt, load, drops, disable_auto_start), mode, mode_reason, health (ok|warning|failed),
// health_reason, and progress:
//   safe_ts, target_ts   unsigned decimal text (JSON readers lose digits of large numbers)
//   safe_time_ms, lag_ms, rows_inserted, rows_deleted, rows_replayed   numbers
//   collections          [{source_db, source_collection, source_id (decimal text), target_db,
//                          target_collection, state}]
#pragma once

#include <string>
#include <vector>

#include "pipeline/ports.h"
#include "server/config.h"
#include "server/task_status.h"

namespace cdc {

std::string OkAnswer();
std::string ErrorAnswer(int code, const std::string& message);
std::string CreatedAnswer(const std::string& task_id);             // data {"task_id":id}
std::string TaskAnswer(const TaskStatus& task);                    // data {"task":Task}
std::string TaskListAnswer(const std::vector<TaskStatus>& tasks);  // data {"tasks":[Task...]}
// data {"positions":[P...],"op_positions":[P...],"target_positions":null}: where reading would
// begin again. P = {collection_id, channel_name, time (ms), tt, msg_id (base64 of a MsgPosition,
// with the exact time: a create request takes it among its positions)}; collection_id -10 stands
// for the operation topic, which has no time.
std::string PositionAnswer(const std::vector<TaskProgress>& tasks,
                           const std::string& operation_topic, LogKind log);
std::string MaintenanceAnswer(const std::string& text);  // data {"State":text}
// GET /healthz: {"status":"ok","tasks":{"total":n,"running":n,"paused":n,"warning":n,"failed":n}}
std::string HealthAnswer(const std::vector<TaskStatus>& tasks);

}  // namespace cdc
