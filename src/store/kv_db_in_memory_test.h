// A KvDb in memory for tests, whose commits can be made to go wrong in every way that a network
// allows. Handles on the same MemoryKv see the same data, as two processes would.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "store/kv_db.h"

namespace cdc {

class MemoryKv {
 public:
  enum class Fault {
    kNone,
    kFails,        // nothing is changed, and the caller is told so
    kAnswerLost,   // it is made, and the caller does not know
    kRequestLost,  // it is not made, and the caller does not know
    kLate,         // it is made before the next commit; the caller does not know
    kTooLate,      // it is tried after the next commit; the caller does not know
  };

  KvLimits limits{120, 1'000'000};
  std::deque<Fault> faults;     // of the coming commits
  int commits_until_away = -1;  // then every call fails; negative: never
  std::map<std::string, std::string> data;
  size_t commits = 0;

  Error Away() const { return RetryError("memory is away", ErrorKind::kUnavailable); }
  bool away() const { return commits_until_away == 0; }

  Result<bool> Commit(const std::vector<KvCondition>& conditions, const KvChanges& changes) {
    if (away()) return Away();
    if (changes.operations() > limits.operations || conditions.size() > limits.operations) {
      return InvalidError("too many operations in one commit");
    }
    if (commits_until_away > 0) --commits_until_away;
    Land(&late_);
    Fault fault = Fault::kNone;
    if (!faults.empty()) {
      fault = faults.front();
      faults.pop_front();
    }
    if (fault == Fault::kFails) return Away();
    const Error unknown = RetryError("no answer", ErrorKind::kUnknownOutcome);
    if (fault == Fault::kRequestLost) return unknown;
    if (fault == Fault::kLate) late_.push_back({conditions, changes});
    if (fault == Fault::kTooLate) too_late_.push_back({conditions, changes});
    if (fault == Fault::kLate || fault == Fault::kTooLate) return unknown;
    const bool made = Make(conditions, changes);
    Land(&too_late_);
    if (fault == Fault::kAnswerLost) return unknown;
    return made;
  }

 private:
  using Sent = std::pair<std::vector<KvCondition>, KvChanges>;

  bool Make(const std::vector<KvCondition>& conditions, const KvChanges& changes) {
    for (const KvCondition& condition : conditions) {
      const auto at = data.find(condition.key);
      const bool present = at != data.end();
      if (present != (condition.kind != KvCondition::Kind::kAbsent)) return false;
      if (condition.kind == KvCondition::Kind::kEquals && at->second != condition.value) {
        return false;
      }
    }
    ++commits;
    for (const std::string& prefix : changes.erased_prefixes) {
      std::erase_if(data, [&](const auto& entry) { return entry.first.starts_with(prefix); });
    }
    for (const auto& [key, value] : changes.keys) {
      if (value) {
        data[key] = *value;
      } else {
        data.erase(key);
      }
    }
    return true;
  }
  void Land(std::deque<Sent>* sent) {
    for (const auto& [conditions, changes] : std::exchange(*sent, {})) {
      (void)Make(conditions, changes);
    }
  }

  std::deque<Sent> late_, too_late_;
};

class InMemoryKvDb final : public KvDb {
 public:
  explicit InMemoryKvDb(std::shared_ptr<MemoryKv> kv) : kv_(std::move(kv)) {}

  Result<std::optional<std::string>> Get(const std::string& key) override {
    if (kv_->away()) return kv_->Away();
    const auto at = kv_->data.find(key);
    if (at == kv_->data.end()) return std::optional<std::string>();
    return std::optional<std::string>(at->second);
  }
  Result<std::map<std::string, std::string>> List(const std::string& prefix) override {
    if (kv_->away()) return kv_->Away();
    std::map<std::string, std::string> found;
    for (const auto& [key, value] : kv_->data) {
      if (key.starts_with(prefix)) found[key] = value;
    }
    return found;
  }
  Result<bool> Commit(const std::vector<KvCondition>& conditions,
                      const KvChanges& changes) override {
    return kv_->Commit(conditions, changes);
  }
  KvLimits limits() const override { return kv_->limits; }
  std::string name() const override { return "memory"; }

 private:
  const std::shared_ptr<MemoryKv> kv_;
};

}  // namespace cdc
