// RbacFollower: keeps users, roles and grants of a target equal to the source's.
//
// By state: it compares what the source's etcd holds with what the target says, and applies the
// difference, again after every change, after every failure with back-off, and once a minute. Only
// passwords come from the operation topic, for etcd has no more than their hashes. Lives on the
// pipeline's executor, owned by a Replication, and never stops it: what is wrong is told through
// `trouble`, all of it as one text.
//
// What is never done: to touch `untouched` users (root, and whom we log in as), to create or drop
// the built-in roles, to take away what neither this task made nor the source had (`known`), to act
// on an etcd that is not the one it was or that holds no root user, which every Milvus has.
//
// A user that the target lacks is made with the password that the topic told; without one, with the
// hash, which targets since 2.4.10 can take over; else it is reported until somebody makes it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/executor.h"
#include "pipeline/ports.h"
#include "pipeline/rbac_passwords.h"
#include "pipeline/rbac_plan.h"
#include "pipeline/rbac_ports.h"

namespace cdc {

class RbacFollower {
 public:
  struct Options {
    Selection selection;  // for its name mappings
    std::set<std::string> untouched = {kRootUser};
    DropPolicy drops = DropPolicy::kReplicate;  // kHold: users, roles and groups are not dropped
    LogPosition operations;                     // where the operation topic is read from
    // The etcd cluster that the task knows; nullopt: whichever comes first.
    std::optional<uint64_t> source_cluster;
    Duration check_interval = std::chrono::minutes(1);
    Duration password_grace = std::chrono::seconds(10);  // etcd may be ahead of the topic
  };
  struct Ports {
    std::unique_ptr<RbacFeed> feed;
    OperationSource* operations = nullptr;  // may be null: no passwords then
    RbacAdmin* admin = nullptr;
    // Makes known() durable; nothing is begun on the target before. May be empty.
    std::function<void(const RbacCatalog& known, Callback<Status> done)> remember;
  };
  // `known`: of an earlier life (see known()). `trouble` gets nullptr when all is well again.
  RbacFollower(Options options, RbacCatalog known, Executor* executor, Ports ports,
               std::function<void(const Error*)> trouble);

  void Start();
  // Begins nothing any more; what is under way at the target may still be applied.
  void Halt() { halted_ = true; }

  // What this task made or saw at the source: what it may take away one day. Without it what the
  // source drops while the task is not running would stay on the target.
  const RbacCatalog& known() const { return known_; }
  // From where the operation topic is needed after a restart; nullopt: from where it was begun.
  std::optional<LogPosition> operations_done() const { return passwords_.done(); }

 private:
  void OnUpdate(RbacUpdate update);
  std::string Distrust(const RbacUpdate& update) const;
  void ReadOperations();
  void OnOperations(const std::vector<Operation>& operations);

  void Wake();
  void Schedule(Duration wait);
  void BeginPass();
  void OnListed(const TargetRbac& has);
  std::vector<RbacStep> PasswordSteps(const RbacCatalog& has);
  // Takes out users that cannot be made, and what hangs on them.
  void LeaveOutUnmakeable(const RbacCatalog& has, RbacCatalog* wanted);
  void RememberKnown();
  void ApplyNext();
  void OnApplied(const RbacStep& step, const Status& status);
  void OnRefused(const RbacStep& step, const Error& error);
  void EndPass();

  std::vector<std::string> Problems() const;
  void Tell(Duration wait);

  const Options options_;
  Executor* const executor_;
  Ports ports_;
  const std::function<void(const Error*)> trouble_;

  std::optional<SourceIdentity> source_;
  std::string distrust_;               // why the source's last word is not followed
  std::optional<RbacCatalog> wanted_;  // nullopt: the source was not heard yet
  RbacCatalog known_;
  RbacCatalog remembered_;  // known_ as it is durable

  std::unique_ptr<OperationReader> reader_;
  Backoff read_backoff_{std::chrono::milliseconds(200), std::chrono::seconds(10)};
  std::string read_trouble_;
  std::string lost_;  // stays until the task is resumed: a person has to see it
  RbacPasswords passwords_;
  std::set<std::string> replaced_;  // users to be made anew: their password could not be changed
  bool hashes_refused_ = false;     // the target's version takes over no hash
  std::map<std::string, TimePoint> without_password_;     // users that cannot be made, since when
  std::map<std::string, std::string> passwords_refused_;  // user -> why

  bool running_ = false;  // a pass is under way
  bool dirty_ = false;    // and must be begun again
  uint64_t timer_ = 0;    // the one timer that counts
  std::deque<RbacStep> steps_;
  int rounds_ = 0;  // passes in a row that applied something
  std::string last_applied_;
  bool applied_ = false;
  bool groups_missing_ = false;
  std::optional<Error> failure_;                // of this pass, worth trying again soon
  std::map<std::string, std::string> refused_;  // step -> why, in this pass
  Backoff backoff_{std::chrono::milliseconds(500), std::chrono::seconds(30)};
  bool halted_ = false;
  bool told_ = false;
  Alive alive_;
};

}  // namespace cdc
