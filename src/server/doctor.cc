#include "server/doctor.h"

#include <algorithm>
#include <optional>
#include <ostream>

#include "server/preflight_probes.h"
#include "server/request.h"
#include "server/source_runtime.h"
#include "server/v1_json.h"

namespace cdc {
namespace {

std::vector<Finding> Look(const ServerConfig& config, const TaskSpec* spec) {
  const auto source = SourceRuntime::Open(config.source);
  if (!source.ok()) {
    return {{"source.config", Severity::kError, source.error().message,
             "correct sourceConfig; `milvus-cdc config check` tells all that is wrong with it"}};
  }
  const std::unique_ptr<PreflightSource> probe = ProbeSource(source->get());
  return Preflight(RealPorts(probe.get())).Run(spec);
}

}  // namespace

void PrintFindings(const std::vector<Finding>& findings, std::ostream& out) {
  for (const Finding& finding : findings) {
    const char* const mark = finding.severity == Severity::kOk        ? "ok      "
                             : finding.severity == Severity::kWarning ? "WARNING "
                                                                      : "ERROR   ";
    out << mark << finding.check << ": " << finding.what << "\n";
    if (!finding.what_to_do.empty()) out << "        " << finding.what_to_do << "\n";
  }
}

int RunDoctor(const ServerConfig& config, const std::string& request, bool json, std::ostream& out,
              std::ostream& err) {
  std::optional<TaskSpec> spec;
  if (!request.empty()) {
    RequestLimits limits;
    limits.max_name_length = config.max_name_length;
    limits.replicate_channel = config.source.replicate_channel;
    Result<TaskSpec> parsed = ParseTaskRequest(request, limits);
    if (!parsed.ok()) {
      err << "milvus-cdc: " << parsed.error().message << "\n";
      return 2;
    }
    spec = *std::move(parsed);
  }
  const std::vector<Finding> findings = Look(config, spec ? &*spec : nullptr);
  if (json) {
    out << V1Findings(findings) << "\n";
  } else {
    PrintFindings(findings, out);
  }
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& f) { return f.severity == Severity::kError; })
             ? 1
             : 0;
}

}  // namespace cdc
