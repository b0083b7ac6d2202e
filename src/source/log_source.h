// LogSource and OperationSource (pipeline/ports.h) over any raw log: messages are decoded on the
// log's own thread and handed over on the executor.
//
// Both may share one log. They and their readers belong to the executor, which must outlive them.
// Errors of a reader: those of the raw log, and corrupt for a message that cannot be decoded: the
// messages before it are delivered first, and every further Read gives the error again.
// What is read ahead of a reader's user is charged to the budget.
// An operation that cannot be decoded is logged and delivered with msg_type 0 instead: the data
// does not depend on it.
#pragma once

#include <memory>
#include <string>

#include "base/executor.h"
#include "client/raw_log.h"
#include "pipeline/ports.h"
#include "source/read_budget.h"

namespace cdc {

std::unique_ptr<LogSource> MakeLogSource(
    std::shared_ptr<RawLog> log, Executor* executor,
    std::shared_ptr<ReadBudget> budget = std::make_shared<ReadBudget>());
// `topic` is "<cluster>-replicate-msg".
std::unique_ptr<OperationSource> MakeOperationSource(
    std::shared_ptr<RawLog> log, std::string topic, Executor* executor,
    std::shared_ptr<ReadBudget> budget = std::make_shared<ReadBudget>());

}  // namespace cdc
