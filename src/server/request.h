// Requests to POST /cdc, and the create request of /api/v1: parsing and validation. Pure functions,
// any thread.
//
// Format, defaults and messages are those of the existing Milvus-CDC, with these differences:
//  - several collections and databases per task, names may be patterns with '*', also those with
//    positions, which may be given by pchannel as well as by vchannel;
//  - create takes besides: milvus_connect_param.mode (auto|replicate|api), exclude_collections
//  (list
//    of "db.collection" patterns), adopt (bool), load (follow|once|never), drops (replicate|hold)
//    and blackhole_connect_param ({}: a target that takes everything and keeps nothing);
//  - a key that no version ever knew is refused (400) with the nearest known one: a misspelt option
//    that is silently ignored copies the wrong data. Keys that had no effect (buffer_config,
//    positions at the top, channel_num) are accepted and have none;
//  - what is not supported yet and would change what is copied (kafka) is refused, never ignored;
//  - resume takes accept_source (bool), position takes rewind_to_ms (number).
#pragma once

#include <string>
#include <variant>

#include "base/result.h"
#include "model/task.h"

namespace cdc {

enum class RequestType {
  kCreate,
  kDelete,
  kPause,
  kResume,
  kGet,
  kList,
  kPosition,
  kMaintenance,
};
const char* ToString(RequestType type);

struct RequestLimits {
  int max_name_length = 256;
  std::string replicate_channel;  // sourceConfig.replicateChan
};

struct CdcRequest {
  RequestType type = RequestType::kList;
  TaskSpec create;                // kCreate; its id is empty if none was asked for
  std::string task_id;            // kDelete, kPause, kResume, kGet, kPosition
  bool ignore_not_found = false;  // kDelete
  bool accept_source = false;     // kResume
  int64_t rewind_to_ms = 0;       // kPosition: set the task back to then; 0: only tell
  std::string operation;          // kMaintenance
  std::string params;             // kMaintenance: JSON text of an object; empty: none
};

struct RequestFailure {
  int code = 400;       // in the body of the answer
  std::string message;  // the whole message of the answer
  std::string type;     // request type for metrics, "unknown" if it could not be read
  std::string status;   // request_status for metrics: unmarshal_error or fail
  int http_status = 0;  // for clients that ask for it; 0: the code
};

std::variant<CdcRequest, RequestFailure> ParseRequest(const std::string& body,
                                                      const RequestLimits& limits);

// "fail to handle the {type} request, error: {message}" with 400 or 500 as the error deserves.
RequestFailure HandlingFailure(RequestType type, const Error& error);

// The request_data of a create request alone. kInvalid, whatever is wrong with it.
Result<TaskSpec> ParseTaskRequest(const std::string& body, const RequestLimits& limits);

}  // namespace cdc
