// What people see of the answers of /api/v1: tasks, plans, positions. Pure functions of the JSON;
// what is missing in it is shown as '-'. Nothing here throws for JSON of another shape.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace cdc {

// Rows and columns on a terminal of `width` columns (0: no limit). `tasks`: an array of Task.
std::string TaskListText(const nlohmann::json& tasks, int width);
// Everything of one Task, with its collections and its last changes of state. `now_ms`: Unix time,
// for ages.
std::string TaskText(const nlohmann::json& task, int64_t now_ms);
// One line: what became of a Task by the last request, as "task t1 is paused".
std::string TaskOutcome(const nlohmann::json& task);
// The plan that a dry run answers.
std::string PlanText(const nlohmann::json& plan);
std::string PositionsText(const nlohmann::json& answer);
// One line of at most `width` columns (0: no limit). `rows_per_second`: nullopt, not known yet.
std::string WatchLine(const nlohmann::json& task, std::optional<double> rows_per_second, int width);

// The parts of a Task that programs branch on; "" and 0 where they are missing.
std::string StateOf(const nlohmann::json& task);
std::string ReasonOf(const nlohmann::json& task);  // of its trouble, or of its state
int64_t SafeTimeMs(const nlohmann::json& task);
uint64_t RowsOf(const nlohmann::json& task);  // inserted and deleted

// The member behind these keys; null where it is missing or something on the way is no object.
const nlohmann::json& Member(const nlohmann::json& value, std::initializer_list<const char*> keys);

}  // namespace cdc
