#include "server/request.h"

#include <nlohmann/json.hpp>

#include "base/format.h"
#include "server/json_fields.h"
#include "server/nearest.h"
#include "server/problem.h"
#include "server/request_create.h"

namespace cdc {
namespace {

using nlohmann::json;

constexpr RequestType kTypes[] = {
    RequestType::kCreate, RequestType::kDelete, RequestType::kPause,    RequestType::kResume,
    RequestType::kGet,    RequestType::kList,   RequestType::kPosition, RequestType::kMaintenance,
};

RequestFailure Unmarshal(const std::string& why) {
  return {500, "fail to unmarshal the request, error: " + why, "unknown", "unmarshal_error", 400};
}

RequestFailure UnknownType(const std::string& name) {
  std::string list;
  std::vector<std::string> names;
  for (const RequestType type : kTypes) {
    list += (list.empty() ? "" : " ") + std::string(ToString(type));
    names.push_back(ToString(type));
  }
  const std::string nearest = NearestWord(name, names);
  return {400,
          "invalid 'request_type' param, can be set [" + list + "]" +
              (nearest.empty() ? "" : "; did you mean '" + nearest + "'?"),
          "unknown", "fail"};
}

// Reads request_data of `type` into `request`; mistakes go to `errors`, for kCreate to `fields`.
void ReadData(const json& data, CdcRequest* request, CreateFields* fields, FieldErrors* errors) {
  if (request->type == RequestType::kCreate) {
    *fields = ReadCreate(data, errors);
    return;
  }
  JsonFields section(data, "", errors);
  switch (request->type) {
    case RequestType::kDelete:
      section.Text("task_id", &request->task_id);
      section.Flag("ignore_not_found", &request->ignore_not_found);
      break;
    case RequestType::kMaintenance: {
      section.Text("operation", &request->operation);
      // Whatever is wrong with the parameters of an operation is told in the answer's text.
      if (const json* params = section.Object("params")) request->params = params->dump();
      break;
    }
    case RequestType::kResume:
      section.Text("task_id", &request->task_id);
      section.Flag("accept_source", &request->accept_source);
      break;
    case RequestType::kPosition:
      section.Text("task_id", &request->task_id);
      section.Number("rewind_to_ms", &request->rewind_to_ms);
      break;
    case RequestType::kCreate:
    case RequestType::kList:
      break;
    default:
      section.Text("task_id", &request->task_id);
  }
  section.Finish();
}

}  // namespace

const char* ToString(RequestType type) {
  switch (type) {
    case RequestType::kCreate:
      return "create";
    case RequestType::kDelete:
      return "delete";
    case RequestType::kPause:
      return "pause";
    case RequestType::kResume:
      return "resume";
    case RequestType::kGet:
      return "get";
    case RequestType::kList:
      return "list";
    case RequestType::kPosition:
      return "position";
    case RequestType::kMaintenance:
      return "maintenance";
  }
  return "unknown";
}

RequestFailure HandlingFailure(RequestType type, const Error& error) {
  int code = 500;
  switch (error.kind) {
    case ErrorKind::kInvalid:
    case ErrorKind::kNotFound:
    case ErrorKind::kAlreadyExists:
    case ErrorKind::kConflict:
    case ErrorKind::kNotStandby:
    case ErrorKind::kStandby:
    case ErrorKind::kUnsupported:
      code = 400;
      break;
    default:
      break;
  }
  return {code, Format("fail to handle the {} request, error: {}", ToString(type), error.message),
          ToString(type), "fail", ClassOf(error).status};
}

std::variant<CdcRequest, RequestFailure> ParseRequest(const std::string& body,
                                                      const RequestLimits& limits) {
  const Result<json> root = ParseJsonObject(body);
  if (!root.ok()) return Unmarshal(root.error().message);
  FieldErrors errors;
  std::string type_name;
  JsonFields envelope(*root, "", &errors);
  envelope.Text("request_type", &type_name);
  const json* data = envelope.Object("request_data");
  envelope.Finish();
  if (!errors.wrong_type.empty()) return Unmarshal(errors.wrong_type);

  CdcRequest request;
  bool known = false;
  for (const RequestType type : kTypes) {
    if (type_name != ToString(type)) continue;
    request.type = type;
    known = true;
  }
  if (!known) return UnknownType(type_name);
  static const json kEmpty = json::object();
  CreateFields fields;
  ReadData(data == nullptr ? kEmpty : *data, &request, &fields, &errors);
  if (!errors.wrong_type.empty()) {
    return RequestFailure{
        500, Format("fail to decode the {} request, error: {}", type_name, errors.wrong_type),
        type_name, "fail", 400};
  }
  if (!errors.unknown_key.empty()) {
    return HandlingFailure(request.type, InvalidError(errors.unknown_key));
  }
  if (request.type == RequestType::kCreate) {
    Result<TaskSpec> spec = ValidateCreate(fields, limits);
    if (!spec.ok()) {
      RequestFailure failure = HandlingFailure(request.type, spec.error());
      failure.http_status = 400;  // whatever its code: it is the request that is wrong
      return failure;
    }
    request.create = *std::move(spec);
  }
  if (request.type == RequestType::kGet && request.task_id.empty()) {
    return HandlingFailure(request.type, InvalidError("task_id is empty"));
  }
  return request;
}

Result<TaskSpec> ParseTaskRequest(const std::string& body, const RequestLimits& limits) {
  CDC_ASSIGN_OR_RETURN(const json data, ParseJsonObject(body));
  FieldErrors errors;
  const CreateFields fields = ReadCreate(data, &errors);
  if (!errors.wrong_type.empty()) return InvalidError(errors.wrong_type);
  if (!errors.unknown_key.empty()) return InvalidError(errors.unknown_key);
  Result<TaskSpec> spec = ValidateCreate(fields, limits);
  if (!spec.ok()) return InvalidError(spec.error().message);
  return spec;
}

}  // namespace cdc
