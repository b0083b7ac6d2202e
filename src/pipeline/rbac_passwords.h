// RbacPasswords: passwords that the operation topic told and that the target has not got yet.
//
// Pure bookkeeping on the pipeline's executor; owned by an RbacFollower. A password is kept until
// it is settled: it is on the target, or was refused for good, or its user is gone. Nothing here
// makes a text of one.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/change.h"
#include "model/position.h"
#include "model/rbac.h"

namespace cdc {

class RbacPasswords {
 public:
  struct Pending {
    std::string password;                    // the newest; base64
    std::vector<std::string> old_passwords;  // what the user may have had before
    bool replaced = false;  // the source dropped a user of that name before it made this one
    TimePoint since;
    std::vector<LogId> from;  // operations that end with it
  };

  // The next operation of the topic, in its order.
  void Take(const Operation& operation, TimePoint now);
  // The users of the source and the hashes of their passwords. A password whose user the source has
  // not had for ten minutes is given up.
  void OnUsers(const std::map<std::string, std::string>& users, TimePoint now);
  // This password of the user is on the target, or never will be. A newer one stays.
  void Settle(const std::string& user, const std::string& password);

  const std::map<std::string, Pending>& pending() const { return pending_; }
  // Users whose hash changed at the source a minute ago or more, without an operation that told the
  // password: sources before 2.4.10 tell none, and any source may lose one.
  std::set<std::string> ChangedUnseen(TimePoint now) const;
  // Where the topic must be read from to get every password that is not settled; nullopt: nothing
  // was read yet.
  std::optional<LogPosition> done() const;

 private:
  void Forget(const std::string& user);

  std::map<std::string, Pending> pending_;
  std::set<LogId> open_;  // operations of pending passwords
  std::optional<LogId> last_;
  std::set<std::string> dropped_;                  // users by an operation, not made again since
  std::map<std::string, std::string> hashes_;      // as last seen at the source
  std::map<std::string, TimePoint> told_;          // when an operation told the user's password
  std::map<std::string, TimePoint> hash_changed_;  // and none has told the password since
};

}  // namespace cdc
