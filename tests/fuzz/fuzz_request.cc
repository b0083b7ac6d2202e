// Bodies of POST /cdc, and of POST /api/v1/tasks where they are create requests alone.
#include "fuzz_check.h"
#include "planted.h"
#include "server/request.h"

namespace cdc::fuzz {
namespace {

using Parsed = std::variant<CdcRequest, RequestFailure>;

const RequestLimits kLimits{.max_name_length = 256, .replicate_channel = "by-dev-replicate-msg"};

void RequireSilence(const std::string& text) {
  Require(text.find(kPlanted) == std::string::npos, "no message and no echo holds a secret");
}

void CheckFailure(const RequestFailure& failure, const std::string& body) {
  Require(failure.code == 400 || failure.code == 405 || failure.code == 500, "a code of old");
  Require(!failure.message.empty() && !failure.type.empty() && !failure.status.empty(),
          "a failure says what is wrong");
  Require(failure.message.size() <= 4 * body.size() + 2000, "a message does not swell");
}

void CheckTask(const TaskSpec& task) {
  Require(!task.selection.includes.empty(), "an accepted task selects something");
  Require(task.mode == TargetMode::kBlackhole || !task.target.host.empty(),
          "an accepted task has a target");
  for (const NamePattern& a : task.selection.includes) {
    for (const NamePattern& b : task.selection.excludes) {
      Require(PatternsOverlap(a.collection, b.collection) ==
                  PatternsOverlap(b.collection, a.collection),
              "overlapping is mutual");
      const bool name = a.collection.find('*') == std::string::npos;
      Require(!name || MatchPattern(b.collection, a.collection) ==
                           PatternsOverlap(b.collection, a.collection),
              "a name overlaps with what matches it");
    }
  }
}

Parsed Parse(const std::string& body) {
  Parsed parsed = ParseRequest(body, kLimits);
  if (const auto* failure = std::get_if<RequestFailure>(&parsed)) {
    CheckFailure(*failure, body);
  } else if (std::get<CdcRequest>(parsed).type == RequestType::kCreate) {
    CheckTask(std::get<CdcRequest>(parsed).create);
  }
  return parsed;
}

// An exception ends the process, and is a finding.
void Run(const std::string& body) noexcept {
  const Parsed parsed = Parse(body);
  if (const std::string planted = PlantInRequest(body); !planted.empty()) {
    const Parsed again = Parse(planted);
    Require(again.index() == parsed.index(), "what a secret is decides nothing");
    if (const auto* failure = std::get_if<RequestFailure>(&again)) {
      RequireSilence(failure->message + failure->type + failure->status);
    } else {
      RequireSilence(std::get<CdcRequest>(again).create.request_json);
    }
  }
  const Result<TaskSpec> task = ParseTaskRequest(body, kLimits);
  if (task.ok()) CheckTask(*task);
  if (const std::string planted = PlantInTask(body); !planted.empty()) {
    const Result<TaskSpec> again = ParseTaskRequest(planted, kLimits);
    Require(again.ok() == task.ok(), "what a secret is decides nothing");
    RequireSilence(again.ok() ? again->request_json : again.error().message);
  }
}

}  // namespace
}  // namespace cdc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cdc::fuzz::Run(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
