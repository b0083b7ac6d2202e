#include "server/problem.h"

#include <nlohmann/json.hpp>

#include "base/json_text.h"

namespace cdc {
namespace {

const char* TitleOf(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

}  // namespace

HttpResponse Problem(int status, const std::string& kind, const std::string& detail) {
  const nlohmann::json body = {{"type", "about:blank"},
                               {"title", TitleOf(status)},
                               {"status", status},
                               {"detail", detail},
                               {"kind", kind}};
  return {status, "application/problem+json", JsonLine(body)};
}

ErrorClass ClassOf(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kInvalid:
      return {400, "invalid"};
    case ErrorKind::kNotFound:
      return {404, "not_found"};
    case ErrorKind::kAlreadyExists:
    case ErrorKind::kConflict:
      return {409, "conflict"};
    case ErrorKind::kLimit:
      return {409, "limit"};
    case ErrorKind::kPositionGone:
      return {409, "position_gone"};
    case ErrorKind::kSourceReplaced:
      return {409, "source_replaced"};
    case ErrorKind::kNotStandby:
    case ErrorKind::kStandby:
    case ErrorKind::kUnsupported:
      return {422, "target_refuses"};
    case ErrorKind::kUnavailable:
    case ErrorKind::kUnknownOutcome:
      return {502, "peer_away"};
    case ErrorKind::kCompacted:
    case ErrorKind::kOther:
      break;
  }
  if (error.IsRetry()) return {503, "unavailable"};
  return {500, "internal"};
}

HttpResponse ProblemOf(const Error& error) {
  const ErrorClass found = ClassOf(error);
  return Problem(found.status, found.kind, error.message);
}

}  // namespace cdc
