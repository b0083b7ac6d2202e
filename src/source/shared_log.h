// SharedLog: many readers of one topic share one tail of the log.
//
// A thousand tasks on one source would otherwise read every tick a thousand times, with a thread or
// a connection for each tail of Pulsar or Kafka. Readers at about the same place form a hub: its
// tail is read once, and what arrives goes to all of them. A reader that is somewhere else has a
// hub, and a tail, of its own until it meets another. A slow reader does not hold up the others:
// what it has not taken is kept up to a limit and while the budget has room, beyond that it reads
// for itself again.
//
// Contract and threads: RawLog's. Callbacks run on the log's threads or on one of this object.
#pragma once

#include <memory>

#include "client/raw_log.h"
#include "source/read_budget.h"

namespace cdc {

std::shared_ptr<RawLog> ShareTails(std::shared_ptr<RawLog> log, std::shared_ptr<ReadBudget> budget =
                                                                    std::make_shared<ReadBudget>());

}  // namespace cdc
