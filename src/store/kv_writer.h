// KvWriter: changes of any size, made as a whole or not at all, by the one process that may write
// to a place in a KvDb. Private to store/; one thread at a time; blocks as the database does.
//
// Opening makes this process the writer, and each commit holds only as long as it still is
// (kv::Head). That keeps a second process away from what the first one writes, and it makes a
// commit whose answer was lost harmless: before the next one it is found out whether it was made,
// and if not, it no longer can be.
//
// What does not fit into one transaction of the database is first written to a journal; a commit of
// the head decides it, then its changes are made piece by piece. A life that ends in between is
// made up for by the next one.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/kv_db.h"
#include "store/kv_records.h"

namespace cdc {

class KvWriter {
 public:
  // `db` outlives it.
  explicit KvWriter(KvDb* db) : db_(db) {}

  // Becomes the writer; a place without a head becomes a store. Call first, once.
  Status TakeOver();
  // Brings to an end what an earlier call left open. To be called before anything is read or
  // written. Fatal once another process has become the writer.
  Status Ready();
  // Makes the changes durable if the conditions hold, and sets Head::created. Erased prefixes only
  // in changes that fit into one commit. Errors: kRetry of kNotFound (a condition does not hold),
  // kRetry of kUnknownOutcome (Ready() will find out), those of the database.
  Status Write(KvChanges changes, std::vector<KvCondition> conditions, uint64_t created,
               const std::string& tag = {});
  // Would changes of this size be one commit?
  bool Fits(size_t operations, size_t bytes) const;
  static size_t BytesOf(const KvChanges& changes);

  uint64_t created() const { return head_.created; }
  // True once after something else may be stored than the answers of Write said.
  bool TakeSurprise() { return std::exchange(surprise_, false); }
  // The tag of a write that was made although Write had failed; empty: none.
  const std::string& late_tag() const { return late_tag_; }
  void ForgetLateTag() { late_tag_.clear(); }

 private:
  // A commit of which it is not known whether it was made.
  struct Doubt {
    kv::Head head;  // as it leaves the head
    std::string tag;
  };

  Status Step(KvChanges changes, std::vector<KvCondition> conditions, kv::Head next,
              const std::string& tag);
  Status WriteByJournal(const KvChanges& changes, std::vector<KvCondition> conditions,
                        kv::Head next, const std::string& tag);
  Status FinishJournal();
  Result<bool> Settle(bool may_land);
  Error Lost(const std::string& what);

  KvDb* const db_;
  kv::Head head_;             // as the last known commit left it
  uint64_t last_number_ = 0;  // highest Head::commits ever sent
  std::optional<Doubt> doubt_;
  bool surprise_ = false;
  std::string late_tag_;
  std::optional<Error> lost_;  // we are not the writer any more
};

}  // namespace cdc
