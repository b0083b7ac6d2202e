#include "pipeline/start_rule.h"

namespace cdc {

StartRule::Place StartRule::Look(const std::string& channel, const Change& change) const {
  const auto end = start_.others.find(channel);
  const bool old = end != start_.others.end() && IsBefore(change.id, end->second);
  const auto points = start_.collections.find(change.collection_id);
  if (points == start_.collections.end()) return old ? Place::kBefore : Place::kCounts;
  const auto point = points->second.find(channel);
  if (point == points->second.end()) return old ? Place::kBefore : Place::kCounts;
  const StartPoint& start = point->second;
  if (IsBefore(change.id, start.from) || change.ts <= start.after_ts) return Place::kBefore;
  const bool doubtful = old && start_.adopted.contains(change.collection_id);
  return doubtful ? Place::kMayBeThere : Place::kCounts;
}

}  // namespace cdc
