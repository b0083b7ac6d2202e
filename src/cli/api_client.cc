#include "cli/api_client.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/percent.h"
#include "cli/task_text.h"

namespace cdc {
namespace {

using nlohmann::json;

constexpr int kUnauthorized = 401;

std::string TextOf(const json& problem, const char* key) {
  const json& value = Member(problem, {key});
  return value.is_string() ? value.get<std::string>() : "";
}

Error NotOurs(int status) {
  return FatalError(
      Format("what answered (HTTP {}) is no milvus-cdc with /api/v1: check --server", status));
}

}  // namespace

ExitCode ExitCodeOf(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kInvalid:
      return ExitCode::kUsage;
    case ErrorKind::kUnavailable:
    case ErrorKind::kUnknownOutcome:
      return ExitCode::kUnreachable;
    default:
      return ExitCode::kRefused;
  }
}

std::string TaskPath(const std::string& id, const std::string& rest) {
  return "/api/v1/tasks/" + PercentEncode(id) + rest;
}

ApiClient::ApiClient(std::unique_ptr<Transport> transport, bool has_token)
    : transport_(std::move(transport)), has_token_(has_token) {}

Result<json> ApiClient::Get(const std::string& path) {
  return Call({"GET", path, ""});
}

Result<json> ApiClient::Post(const std::string& path, const std::string& body, int* status) {
  return Call({"POST", path, body}, status);
}

Result<json> ApiClient::Delete(const std::string& path) {
  return Call({"DELETE", path, ""});
}

Result<json> ApiClient::Call(const ApiRequest& request, int* status) {
  CDC_ASSIGN_OR_RETURN(const ApiAnswer answer, transport_->Send(request));
  if (status != nullptr) *status = answer.status;
  if (answer.status < 200 || answer.status > 299) return Refusal(answer);
  if (answer.body.empty()) return json();
  json value = json::parse(answer.body, nullptr, false);
  if (!value.is_object()) return NotOurs(answer.status);
  return value;
}

Error ApiClient::Refusal(const ApiAnswer& answer) const {
  const json problem = json::parse(answer.body, nullptr, false);
  std::string detail = TextOf(problem, "detail");
  if (detail.empty()) detail = TextOf(problem, "title");
  if (answer.status == kUnauthorized) {
    return FatalError(
        has_token_ ? "the server refuses the token that was sent: check --token-file, --token or "
                     "MILVUS_CDC_TOKEN"
                   : "the server asks for a token: give it with --token-file, --token or "
                     "MILVUS_CDC_TOKEN");
  }
  if (detail.empty()) return NotOurs(answer.status);
  return FatalError(Format("{} (HTTP {})", detail, answer.status));
}

}  // namespace cdc
