#include "pipeline/tick_buffer.h"

#include <algorithm>
#include <set>
#include <utility>

namespace cdc {
namespace {

// At equal timestamps: deletes, then inserts (an upsert is written so), then drops.
int Rank(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kDelete:
      return 0;
    case ChangeKind::kInsert:
      return 1;
    default:
      return 2;
  }
}

}  // namespace

TickBuffer::Released TickBuffer::Release(Timestamp tick) {
  Released out;
  std::vector<TrackedChange> later;
  for (TrackedChange& held : held_) {
    (held.change.ts <= tick ? out.changes : later).push_back(std::move(held));
  }
  held_ = std::move(later);
  std::stable_sort(out.changes.begin(), out.changes.end(),
                   [](const TrackedChange& a, const TrackedChange& b) {
                     return std::pair(a.change.ts, Rank(a.change.kind)) <
                            std::pair(b.change.ts, Rank(b.change.kind));
                   });
  std::set<std::pair<ChangeKind, int64_t>> seen;
  std::vector<TrackedChange> unique;
  for (TrackedChange& item : out.changes) {
    const bool row =
        item.change.kind == ChangeKind::kInsert || item.change.kind == ChangeKind::kDelete;
    const bool copy = row && item.change.msg_id != 0 &&
                      !seen.emplace(item.change.kind, item.change.msg_id).second;
    (copy ? out.copies : unique).push_back(std::move(item));
  }
  out.changes = std::move(unique);
  return out;
}

}  // namespace cdc
