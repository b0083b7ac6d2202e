#include "pipeline/tick_buffer.h"

#include <algorithm>
#include <tuple>
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

// Moves every Insert and Delete whose message id came before to `copies`.
void TakeOutCopies(TickBuffer::Released* out) {
  struct Seen {
    int64_t msg_id;
    ChangeKind kind;
    size_t at;
    auto operator<=>(const Seen&) const = default;
  };
  std::vector<Seen> seen;
  seen.reserve(out->changes.size());
  for (size_t i = 0; i < out->changes.size(); ++i) {
    const Change& change = out->changes[i].change;
    const bool row = change.kind == ChangeKind::kInsert || change.kind == ChangeKind::kDelete;
    if (row && change.msg_id != 0) seen.push_back({change.msg_id, change.kind, i});
  }
  if (!std::is_sorted(seen.begin(), seen.end())) std::sort(seen.begin(), seen.end());
  std::vector<bool> copy;
  for (size_t i = 1; i < seen.size(); ++i) {
    if (seen[i].msg_id != seen[i - 1].msg_id || seen[i].kind != seen[i - 1].kind) continue;
    copy.resize(out->changes.size());
    copy[seen[i].at] = true;
  }
  if (copy.empty()) return;  // nearly always
  std::vector<TrackedChange> unique;
  for (size_t i = 0; i < out->changes.size(); ++i) {
    (copy[i] ? out->copies : unique).push_back(std::move(out->changes[i]));
  }
  out->changes = std::move(unique);
}

}  // namespace

TickBuffer::Released TickBuffer::Release(Timestamp tick) {
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
