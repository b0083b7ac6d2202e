#include "store/kv_writer.h"

#include "base/format.h"
#include "base/log.h"
#include "base/random_name.h"

namespace cdc {
namespace {

KvCondition HeadIs(const std::string& text) {
  return {kv::kHeadKey, KvCondition::Kind::kEquals, text};
}

}  // namespace

size_t KvWriter::BytesOf(const KvChanges& changes) {
  size_t bytes = 0;
  for (const auto& [key, value] : changes.keys) bytes += key.size() + (value ? value->size() : 0);
  return bytes;
}

bool KvWriter::Fits(size_t operations, size_t bytes) const {
  const KvLimits limits = db_->limits();
  return operations + 1 <= limits.operations && bytes <= limits.bytes;  // and the head
}

Status KvWriter::TakeOver() {
  CDC_ASSIGN_OR_RETURN(const std::optional<std::string> stored, db_->Get(kv::kHeadKey));
  KvCondition condition{kv::kHeadKey, KvCondition::Kind::kAbsent, {}};
  if (stored) {
    Result<kv::Head> head = kv::DecodeHead(*stored);
    if (!head.ok()) return head.error().Prefixed(db_->name());
    if (head->format > kv::kFormat) {
      return FatalError(
          Format("the store in {} has format {}, this program knows up to {}: use the newer "
                 "milvus-cdc that wrote it, or another metaStoreConfig.rootPath",
                 db_->name(), head->format, kv::kFormat));
    }
    head_ = *head;
    condition = HeadIs(*stored);
  }
  head_.writer = RandomName();
  head_.commits += 1;
  last_number_ = head_.commits;
  KvChanges changes;
  changes.keys[kv::kHeadKey] = kv::EncodeHead(head_);
  if (head_.journal == 0) changes.erased_prefixes = {kv::kJournalPrefix};  // one never decided
  CDC_ASSIGN_OR_RETURN(const bool taken, db_->Commit({condition}, changes));
  if (!taken) {
    return RetryError(
        Format("another milvus-cdc uses the store in {}: stop that one, or give this one another "
               "metaStoreConfig.rootPath",
               db_->name()));
  }
  return Ready();
}

Status KvWriter::Ready() {
  if (lost_) return *lost_;
  if (doubt_) {
    const std::string tag = doubt_->tag;
    CDC_ASSIGN_OR_RETURN(const bool landed, Settle(true));
    surprise_ = true;
    if (landed && !tag.empty()) late_tag_ = tag;
  }
  if (head_.journal > 0) return FinishJournal();
  return OkStatus();
}

Status KvWriter::Write(KvChanges changes, std::vector<KvCondition> conditions, uint64_t created,
                       const std::string& tag) {
  kv::Head next = head_;
  next.created = created;
  if (Fits(changes.operations(), BytesOf(changes))) {
    return Step(std::move(changes), std::move(conditions), next, tag);
  }
  return WriteByJournal(changes, std::move(conditions), next, tag);
}

// One commit of the database, which also replaces the head by `next`.
Status KvWriter::Step(KvChanges changes, std::vector<KvCondition> conditions, kv::Head next,
                      const std::string& tag) {
  next.commits = ++last_number_;
  conditions.push_back(HeadIs(kv::EncodeHead(head_)));
  changes.keys[kv::kHeadKey] = kv::EncodeHead(next);
  const Result<bool> done = db_->Commit(conditions, changes);
  if (done.ok() && *done) {
    head_ = next;
    return OkStatus();
  }
  if (!done.ok() && done.error().kind != ErrorKind::kUnknownOutcome) return done.error();
  doubt_ = Doubt{next, tag};
  const Result<bool> landed = Settle(!done.ok());
  if (!landed.ok()) {
    if (!landed.error().IsRetry()) return landed.error();
    return RetryError(landed.error().message + "; whether the last write was stored is not known",
                      ErrorKind::kUnknownOutcome);
  }
  if (*landed) return OkStatus();
  if (!done.ok()) return RetryError(done.error().message);
  surprise_ = true;
  return RetryError(Format("the tasks in {} were changed by somebody else", db_->name()),
                    ErrorKind::kNotFound);
}

// Finds out whether the commit in doubt was made. If not, it cannot be made later either: it wants
// the head as it was, which another commit changes now.
Result<bool> KvWriter::Settle(bool may_land) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    CDC_ASSIGN_OR_RETURN(const std::optional<std::string> stored, db_->Get(kv::kHeadKey));
    if (!stored) return Lost("was emptied under this server");
    CDC_ASSIGN_OR_RETURN(const kv::Head now, kv::DecodeHead(*stored));
    if (now.writer != head_.writer) return Lost("was taken over by another milvus-cdc");
    const bool landed = now == doubt_->head;
    if (landed || now.commits != head_.commits || !may_land) {
      head_ = now;
      doubt_.reset();
      return landed;
    }
    kv::Head fence = head_;
    fence.commits = ++last_number_;
    KvChanges changes;
    changes.keys[kv::kHeadKey] = kv::EncodeHead(fence);
    const Result<bool> done = db_->Commit({HeadIs(*stored)}, changes);
    if (done.ok() && *done) {
      head_ = fence;
      doubt_.reset();
      return false;
    }
    if (!done.ok() && done.error().kind != ErrorKind::kUnknownOutcome) return done.error();
  }
  return RetryError(db_->name() + " gives no clear answer");
}

Error KvWriter::Lost(const std::string& what) {
  lost_ = FatalError(
      Format("the store in {} {}: nothing is stored any more. Each server needs a "
             "metaStoreConfig.rootPath of its own; restart this one to take the store back",
             db_->name(), what));
  doubt_.reset();
  LogError("{}", lost_->message);
  return *lost_;
}

// ---- journal ------------------------------------------------------------------------------------

Status KvWriter::WriteByJournal(const KvChanges& changes, std::vector<KvCondition> conditions,
                                kv::Head next, const std::string& tag) {
  uint64_t number = 0;
  for (std::string& value : kv::EncodeJournal(changes, db_->limits().bytes)) {
    KvChanges part;
    part.keys[kv::JournalKey(number++)] = std::move(value);
    CDC_RETURN_IF_ERROR(Step(std::move(part), {}, head_, {}));
  }
  next.journal = number;
  CDC_RETURN_IF_ERROR(Step({}, std::move(conditions), next, tag));  // decided
  // What fails from here on is made up for by the next Ready().
  const Status finished = FinishJournal();
  if (!finished.ok()) LogWarn("store: {}", finished.error().message);
  return OkStatus();
}

// Makes the changes that the journal holds; making some of them again does no harm.
Status KvWriter::FinishJournal() {
  KvChanges part;
  size_t bytes = 0;
  for (uint64_t number = 0; number < head_.journal; ++number) {
    CDC_ASSIGN_OR_RETURN(const auto stored, db_->Get(kv::JournalKey(number)));
    if (!stored) return CorruptError(Format("the journal in {} is incomplete", db_->name()));
    CDC_ASSIGN_OR_RETURN(KvChanges changes, kv::DecodeJournal(*stored));
    for (auto& [key, value] : changes.keys) {
      const size_t more = key.size() + (value ? value->size() : 0);
      if (!part.keys.empty() && !Fits(part.operations() + 1, bytes + more)) {
        CDC_RETURN_IF_ERROR(Step(std::exchange(part, {}), {}, head_, {}));
        bytes = 0;
      }
      part.keys[key] = std::move(value);
      bytes += more;
    }
  }
  if (!part.keys.empty()) CDC_RETURN_IF_ERROR(Step(std::move(part), {}, head_, {}));
  kv::Head next = head_;
  next.journal = 0;
  return Step({{}, {kv::kJournalPrefix}}, {}, next, {});
}

}  // namespace cdc
