#include "sink/milvus/api_plan.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "client/milvus/message_codec.h"
#include "sink/milvus/merge_rows.h"

namespace cdc {
namespace {

using Kind = PlannedCall::Kind;

// Does `keys` name each key once?
bool Unique(const PrimaryKeys& keys) {
  return std::visit(
      [](const auto& all) {
        using Key = typename std::decay_t<decltype(all)>::value_type;
        return std::unordered_set<Key>(all.begin(), all.end()).size() == all.size();
      },
      keys);
}

PrimaryKeys Concatenate(PrimaryKeys a, const PrimaryKeys& b) {
  std::visit(
      [&](auto& into) {
        using Keys = std::decay_t<decltype(into)>;
        if (const Keys* from = std::get_if<Keys>(&b)) {
          into.insert(into.end(), from->begin(), from->end());
        }
      },
      a);
  return a;
}

bool SameKeys(PrimaryKeys a, PrimaryKeys b) {
  const auto sort = [](auto& keys) { std::sort(keys.begin(), keys.end()); };
  std::visit(sort, a);
  std::visit(sort, b);
  return a == b;
}

// The partition that a call names; empty where Milvus takes none.
std::string Scope(const LaneItem& item) {
  const bool everywhere = item.to->partition_key || (item.change.kind == ChangeKind::kDelete &&
                                                     item.change.partition_id == kAllPartitions);
  return everywhere ? "" : item.to->partition;
}

// Keys of one open call, for the question whether more rows may join it.
class KeySet {
 public:
  bool Overlaps(const PrimaryKeys& keys) const {
    if (const auto* integers = std::get_if<std::vector<int64_t>>(&keys)) {
      return std::any_of(integers->begin(), integers->end(),
                         [&](int64_t key) { return integers_.contains(key); });
    }
    const auto& strings = std::get<std::vector<std::string>>(keys);
    return std::any_of(strings.begin(), strings.end(),
                       [&](const std::string& key) { return strings_.contains(key); });
  }
  void Add(const PrimaryKeys& keys) {
    if (const auto* integers = std::get_if<std::vector<int64_t>>(&keys)) {
      integers_.insert(integers->begin(), integers->end());
    } else {
      const auto& strings = std::get<std::vector<std::string>>(keys);
      strings_.insert(strings.begin(), strings.end());
    }
  }

 private:
  std::unordered_set<int64_t> integers_;
  std::unordered_set<std::string> strings_;
};

// Rows for one call.
struct Load {
  MergedRows rows;
  size_t items_end = 0;  // of the batch: all its rows are among the items before it
  size_t parts = 0;      // that could travel apart, if they had to
  std::vector<ItemRange> carries;
};

// What of the group being formed goes to one collection and partition; more changes may join.
struct OpenCall {
  CollectionId collection = 0;
  std::string scope;
  const TargetAddressOfRows* to = nullptr;
  std::vector<Load> loads;         // of rows; only the last one takes more
  KeySet key_set;                  // of all these rows
  PrimaryKeys keys;                // of a delete
  std::vector<ItemRange> carries;  // a delete
};

class Planner {
 public:
  Planner(const LaneBatch& batch, const ApiPlanOptions& options)
      : items_(batch.items), options_(options) {}

  Result<std::vector<PlannedCall>> Plan() {
    while (next_ < items_.size()) {
      CDC_RETURN_IF_ERROR(PlanItem());
    }
    Close();
    return std::move(calls_);
  }

 private:
  Status PlanItem() {
    const LaneItem& item = items_[next_];
    if (item.change.kind == ChangeKind::kInsert) return PlanInsert(item);
    if (item.change.kind != ChangeKind::kDelete) {
      ++next_;  // drops are done by an admin call; the rest carries no rows
      return OkStatus();
    }
    CDC_ASSIGN_OR_RETURN(const PrimaryKeys keys, ReadPrimaryKeys(item.change, *item.to));
    CDC_ASSIGN_OR_RETURN(const size_t inserts, UpsertLength(item, keys));
    if (inserts > 0) {
      std::vector<const Change*> changes;
      for (size_t i = 1; i <= inserts; ++i) changes.push_back(&items_[next_ + i].change);
      AddRows(Kind::kUpsert, item, changes, keys, inserts + 1);
    } else {
      AddDelete(item, keys);
      ++next_;
    }
    return OkStatus();
  }

  Status PlanInsert(const LaneItem& item) {
    CDC_ASSIGN_OR_RETURN(const PrimaryKeys keys, ReadPrimaryKeys(item.change, *item.to));
    if (!item.replay) {
      AddRows(Kind::kInsert, item, {&item.change}, keys, 1);
    } else if (!item.to->milvus_lite && !item.to->partition_key && !item.to->partition.empty() &&
               Unique(keys)) {
      AddRows(Kind::kUpsert, item, {&item.change}, keys, 1);
    } else {
      AddDelete(item, keys);
      AddRows(Kind::kInsert, item, {&item.change}, keys, 1);
    }
    return OkStatus();
  }

  // How many inserts behind the delete `item` form one upsert with it; 0: it is a plain delete.
  Result<size_t> UpsertLength(const LaneItem& item, const PrimaryKeys& keys) const {
    if (!item.to->partition_key && Scope(item).empty()) return size_t{0};
    if (item.to->milvus_lite || !Unique(keys)) return size_t{0};
    std::optional<PrimaryKeys> found;
    std::vector<const Change*> changes;
    size_t bytes = 0;
    for (size_t i = next_ + 1; i < items_.size(); ++i) {
      const LaneItem& other = items_[i];
      if (other.change.kind != ChangeKind::kInsert || other.change.ts != item.change.ts ||
          other.to->collection_id != item.to->collection_id || Scope(other) != Scope(item)) {
        break;
      }
      CDC_ASSIGN_OR_RETURN(const PrimaryKeys more, ReadPrimaryKeys(other.change, *other.to));
      found = found ? Concatenate(*std::move(found), more) : more;
      changes.push_back(&other.change);
      bytes += other.change.payload.bytes.size();
    }
    if (!found || !SameKeys(*found, keys)) return size_t{0};
    // Several messages are one upsert only if they can travel in one call.
    const bool alone = changes.size() == 1;
    if (!alone && bytes > options_.max_upsert_bytes) return size_t{0};
    if (!alone && !MergedRows(item.to.get()).Add(changes)) return size_t{0};
    return changes.size();
  }

  // Adds rows to the open calls of `kind` and moves past `items`.
  void AddRows(Kind kind, const LaneItem& item, const std::vector<const Change*>& changes,
               const PrimaryKeys& keys, size_t items) {
    OpenCall* call = Find(kind, item);
    if (call != nullptr && call->key_set.Overlaps(keys)) {
      Close();
      call = nullptr;
    }
    if (call == nullptr) call = Open(kind, item);
    if (call->loads.empty() || !AddTo(call->loads.back(), changes)) {
      call->loads.push_back({MergedRows(call->to)});
      call->loads.back().rows.Add(changes);
    }
    Load& load = call->loads.back();
    Include({next_, next_ + items}, &load.carries);
    load.parts += changes.size();
    next_ += items;
    load.items_end = next_;
    call->key_set.Add(keys);
  }

  void AddDelete(const LaneItem& item, const PrimaryKeys& keys) {
    OpenCall* call = Find(Kind::kDelete, item);
    if (call == nullptr) {
      call = Open(Kind::kDelete, item);
      call->keys = keys;
    } else {
      call->keys = Concatenate(std::move(call->keys), keys);
    }
    Include({next_, next_ + 1}, &call->carries);
  }

  bool AddTo(Load& load, const std::vector<const Change*>& changes) const {
    size_t bytes = load.rows.bytes();
    for (const Change* change : changes) bytes += change->payload.bytes.size();
    return bytes <= options_.max_bytes && load.rows.Add(changes);
  }

  // The open call for this collection and partition. Another kind of call closes them all.
  OpenCall* Find(Kind kind, const LaneItem& item) {
    if (kind_ != kind) Close();
    kind_ = kind;
    for (OpenCall& call : open_) {
      if (call.collection == item.to->collection_id && call.scope == Scope(item)) return &call;
    }
    return nullptr;
  }

  OpenCall* Open(Kind kind, const LaneItem& item) {
    kind_ = kind;
    open_.push_back({item.to->collection_id, Scope(item), item.to.get()});
    return &open_.back();
  }

  // Turns the open calls into calls; all items before `next_` are done with the last of them.
  void Close() {
    const size_t done_before = calls_.empty() ? 0 : calls_.back().items_done;
    for (const OpenCall& open : open_) {
      if (kind_ == Kind::kDelete) {
        EmitDelete(open, done_before);
      } else {
        EmitRows(open, done_before);
      }
    }
    if (!open_.empty()) calls_.back().items_done = next_;
    open_.clear();
    ++group_;
  }

  void EmitDelete(const OpenCall& open, size_t items_done) {
    std::vector<std::string> expressions =
        DeleteExpressions(open.keys, *open.to, options_.max_expression_bytes);
    const bool divisible = expressions.size() < CountOf(open.keys);
    for (std::string& expression : expressions) {
      PlannedCall call{Kind::kDelete, open.to->name, open.scope, std::move(expression)};
      call.rows = CountOf(open.keys);
      call.alone = open.to->milvus_lite;
      call.divisible = divisible;
      call.carries = open.carries;
      call.group = group_;
      call.items_done = items_done;
      calls_.push_back(std::move(call));
    }
  }

  void EmitRows(const OpenCall& open, size_t items_done) {
    const RowsCall rows = kind_ == Kind::kInsert ? RowsCall::kInsert : RowsCall::kUpsert;
    for (const Load& load : open.loads) {
      PlannedCall call{kind_, open.to->name, open.scope};
      call.rows = load.rows.rows();
      call.request = load.rows.Request(rows);
      call.alone = open.to->milvus_lite;
      call.divisible = load.parts > 1;
      call.carries = load.carries;
      call.group = group_;
      // With one partition the loads follow each other as the items do.
      call.items_done = open_.size() == 1 ? load.items_end : items_done;
      calls_.push_back(std::move(call));
    }
  }

  const std::vector<LaneItem>& items_;
  const ApiPlanOptions& options_;
  size_t next_ = 0;
  Kind kind_ = Kind::kInsert;  // of all open calls
  size_t group_ = 0;
  std::vector<OpenCall> open_;
  std::vector<PlannedCall> calls_;
};

}  // namespace

Result<std::vector<PlannedCall>> PlanApiCalls(const LaneBatch& batch,
                                              const ApiPlanOptions& options) {
  return Planner(batch, options).Plan();
}

}  // namespace cdc
