// Answers of /api/v1 as JSON text, as openapi.json describes them. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "pipeline/ports.h"
#include "server/config.h"
#include "server/finding.h"
#include "server/task_status.h"

namespace cdc {

std::string V1Task(const TaskStatus& task);
// `next`: where the following page begins; nullopt: there is none.
std::string V1TaskPage(const std::vector<TaskStatus>& tasks,
                       const std::optional<std::string>& next);
std::string V1DryRun(const TaskPlan& plan);
std::string V1Positions(const TaskProgress& progress, const std::string& operation_topic,
                        LogKind log);

std::string V1Findings(const std::vector<Finding>& findings);

struct V1ServerInfo {
  std::string version;
  LogKind log = LogKind::kRocksmq;
  std::string operation_topic;
  int max_tasks = 0;
  int max_name_length = 0;
  int max_page = 0;
  LogLevel level = LogLevel::kInfo;
};
std::string V1Server(const V1ServerInfo& server);
std::string V1LogLevel(LogLevel level);

// debug, info, warn, error
const char* ToString(LogLevel level);

}  // namespace cdc
