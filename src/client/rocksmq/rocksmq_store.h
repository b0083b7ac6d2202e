// RocksmqStore: the RocksDB secondary under RocksmqLog. One thread; every call may block on files.
//
// Its view of the store moves only in CatchUp(). RocksDB types stay in the .cc file.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/slice.h"
#include "model/position.h"

namespace cdc {

// A walk over a topic as the store showed it when the walk began, whatever is deleted meanwhile; it
// keeps the files of that time. Must not outlive the store.
class RocksmqScan {
 public:
  struct State;
  RocksmqScan(std::string path, std::unique_ptr<State> state);
  ~RocksmqScan();

  // Calls `each` for the next messages with an id up to `last`, until it returns false: the walk
  // then goes on with that message. False: there are no more.
  using Each = std::function<bool(uint64_t id, std::string_view payload)>;
  Result<bool> Run(uint64_t last, const Each& each);
  // The payload that `each` has been given, for as long as it is wanted: where it lies, if it is
  // most of what RocksDB had to read for it, and a copy otherwise.
  Slice Keep(std::string_view payload) const;

 private:
  const std::string path_;
  const std::unique_ptr<State> state_;
};

class RocksmqStore {
 public:
  // Errors: kNotFound, kInvalid (not readable, no store), kOther; all kRetry but for a RocksDB
  // library without zstd.
  static Result<std::unique_ptr<RocksmqStore>> Open(const std::string& path);
  ~RocksmqStore();
  RocksmqStore(const RocksmqStore&) = delete;
  RocksmqStore& operator=(const RocksmqStore&) = delete;

  // Contents of the store's IDENTITY: another one means that the store was made anew.
  const std::string& identity() const { return identity_; }

  // Follows the owner of the store. Errors, one of them that the path no longer leads to the store
  // that was opened: open it again.
  Status CatchUp();
  // Grows when CatchUp brought new messages (but holes may be filled without).
  uint64_t Sequence() const;

  // The newest and the oldest message id of a topic, nullopt: the topic is empty. Looking for the
  // newest costs next to nothing where nothing is new: files that were looked into are remembered,
  // and never looked into again.
  Result<std::vector<std::optional<uint64_t>>> Newest(const std::vector<std::string>& topics);
  Result<std::optional<uint64_t>> Oldest(const std::string& topic) const;
  // About the bytes that the messages first <= id < last take.
  uint64_t BytesBetween(const std::string& topic, uint64_t first, uint64_t last) const;
  Result<bool> Contains(const std::string& topic, uint64_t id) const;

  std::unique_ptr<RocksmqScan> Scan(const std::string& topic, uint64_t first) const;

 private:
  struct Database;
  struct LookedInto {
    uint64_t file = 0;
    uint64_t newest = 0;
  };
  // What is known of a topic.
  struct View {
    std::optional<uint64_t> newest;
    // Files, and an id that all their messages of the topic are not above. As many as the store
    // has where the topic may be; those that it does not have any more are forgotten.
    std::vector<LookedInto> files;
  };
  explicit RocksmqStore(std::string path);
  Status CheckIdentity() const;
  Status LookAt(const std::string& topic, View* view);

  std::string path_;
  std::string identity_;
  std::unique_ptr<Database> database_;
  std::map<std::string, View> views_;
  std::vector<LookedInto> looking_;  // what LookAt comes by; kept for its memory
};

}  // namespace cdc
