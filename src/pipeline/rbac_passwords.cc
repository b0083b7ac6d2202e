#include "pipeline/rbac_passwords.h"

#include <algorithm>

namespace cdc {
namespace {

// Between a change's key in etcd and its message, either of which may come first.
constexpr Duration kMessageDelay = std::chrono::minutes(1);
constexpr Duration kUserDelay = std::chrono::minutes(10);
constexpr size_t kMaxOldPasswords = 16;

void AddOld(std::string password, std::vector<std::string>* old) {
  if (password.empty() || std::find(old->begin(), old->end(), password) != old->end()) return;
  if (old->size() == kMaxOldPasswords) old->erase(old->begin());
  old->push_back(std::move(password));
}

}  // namespace

void RbacPasswords::Take(const Operation& operation, TimePoint now) {
  using Kind = CredentialOperation::Kind;
  last_ = operation.id;
  if (!operation.credential) return;
  const CredentialOperation& said = *operation.credential;
  if (said.kind == Kind::kDelete) {
    Forget(said.user);
    dropped_.insert(said.user);
    return;
  }
  if (said.password.empty()) return;
  Pending& pending = pending_[said.user];
  AddOld(pending.password, &pending.old_passwords);
  AddOld(said.old_password, &pending.old_passwords);
  pending.password = said.password;
  pending.since = now;
  pending.from.push_back(operation.id);
  open_.insert(operation.id);
  if (dropped_.erase(said.user) > 0) pending.replaced = true;
  told_[said.user] = now;
  hash_changed_.erase(said.user);
}

void RbacPasswords::OnUsers(const std::map<std::string, std::string>& users, TimePoint now) {
  for (const auto& [user, hash] : users) {
    const auto before = hashes_.find(user);
    if (before == hashes_.end() || before->second.empty() || before->second == hash) continue;
    const auto told = told_.find(user);
    if (told == told_.end() || now - told->second > kMessageDelay) hash_changed_[user] = now;
  }
  hashes_ = users;
  const auto gone = [&](const auto& entry) { return !users.contains(entry.first); };
  std::erase_if(hash_changed_, gone);
  std::erase_if(told_, gone);
  std::erase_if(dropped_, [&](const std::string& user) { return !users.contains(user); });
  std::vector<std::string> given_up;
  for (const auto& [user, pending] : pending_) {
    const bool late = now - pending.since > kUserDelay;
    if (late && !users.contains(user)) given_up.push_back(user);
  }
  for (const std::string& user : given_up) Forget(user);
}

void RbacPasswords::Settle(const std::string& user, const std::string& password) {
  const auto it = pending_.find(user);
  if (it != pending_.end() && it->second.password == password) Forget(user);
}

void RbacPasswords::Forget(const std::string& user) {
  const auto it = pending_.find(user);
  if (it == pending_.end()) return;
  for (const LogId& id : it->second.from) open_.erase(id);
  pending_.erase(it);
}

std::set<std::string> RbacPasswords::ChangedUnseen(TimePoint now) const {
  std::set<std::string> users;
  for (const auto& [user, when] : hash_changed_) {
    if (now - when >= kMessageDelay) users.insert(user);
  }
  return users;
}

std::optional<LogPosition> RbacPasswords::done() const {
  if (!open_.empty()) return LogPosition{LogPosition::Kind::kAt, *open_.begin()};
  if (last_) return LogPosition{LogPosition::Kind::kAfter, *last_};
  return std::nullopt;
}

}  // namespace cdc
