#include "pipeline/tick_buffer.h"

#include <algorithm>
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

// The message id of an Insert, its negative for a Delete; 0: neither, or none.
int64_t RowId(const Change& change) {
  if (change.kind == ChangeKind::kInsert) return change.msg_id;
  return change.kind == ChangeKind::kDelete ? -change.msg_id : 0;
}

// Moves every Insert and Delete whose message id came before to `copies`.
void TakeOutCopies(TickBuffer::Released* out) {
  std::vector<std::pair<int64_t, size_t>> seen;  // id, index
  seen.reserve(out->changes.size());
  for (size_t i = 0; i < out->changes.size(); ++i) {
    if (const int64_t id = RowId(out->changes[i].change)) seen.emplace_back(id, i);
  }
  if (!std::is_sorted(seen.begin(), seen.end())) std::sort(seen.begin(), seen.end());
  std::vector<bool> copy;
  for (size_t i = 1; i < seen.size(); ++i) {
    if (seen[i].first != seen[i - 1].first) continue;
    copy.resize(out->changes.size());
    copy[seen[i].second] = true;
  }
  if (copy.empty()) return;  // nearly always
  std::vector<TrackedChange> unique;
  for (size_t i = 0; i < out->changes.size(); ++i) {
    (copy[i] ? out->copies : unique).push_back(std::move(out->changes[i]));
  }
  out->changes = std::move(unique);
}

}  // namespace

bool TickBuffer::IsLateCopy(const Change& change) const {
  if (change.ts > tick_) return false;
  const int64_t id = RowId(change);
  return id != 0 && std::find(recent_.begin(), recent_.end(), id) != recent_.end();
}

void TickBuffer::Add(TrackedChange change) {
  if (const int64_t id = RowId(change.change)) {
    if (recent_.size() < kRemembered) {
      recent_.push_back(id);
    } else {
      recent_[next_recent_++ % kRemembered] = id;
    }
  }
  held_.push_back(std::move(change));
}

TickBuffer::Released TickBuffer::Release(Timestamp tick) {
  tick_ = std::max(tick_, tick);
  Released out;
  std::vector<TrackedChange> later;
  out.changes.reserve(held_.size());
  for (TrackedChange& held : held_) {
    (held.change.ts <= tick ? out.changes : later).push_back(std::move(held));
  }
  held_ = std::move(later);
  const auto before = [](const TrackedChange& a, const TrackedChange& b) {
    return std::pair(a.change.ts, Rank(a.change.kind)) <
           std::pair(b.change.ts, Rank(b.change.kind));
  };
  // One writer's messages stand in order already.
  if (!std::is_sorted(out.changes.begin(), out.changes.end(), before)) {
    std::stable_sort(out.changes.begin(), out.changes.end(), before);
  }
  TakeOutCopies(&out);
  return out;
}

}  // namespace cdc
