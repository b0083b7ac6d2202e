// Users, roles and grants of a source, over the watch of its catalog (catalog_feed.h).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/executor.h"
#include "client/etcd/etcd_client.h"
#include "pipeline/rbac_ports.h"
#include "source/rbac_state.h"

namespace cdc {

// What the watch has seen of them, and who wants to know. Owned by the catalog, whose mutex is held
// around every call; it is fed in the order of revisions, from a listing on.
class RbacBoard {
 public:
  struct Member {
    Executor* executor = nullptr;
    Callback<std::shared_ptr<const RbacUpdate>> on_update;
  };
  using MemberPtr = std::shared_ptr<Member>;

  // `prefix`: "<root>/<meta>/".
  explicit RbacBoard(std::string prefix) : state_(std::move(prefix)) {}

  // A listing: what is not in it is gone.
  void Replace(const std::vector<EtcdKeyValue>& kvs);
  void Apply(const EtcdEvent& event);
  // Tells the members of what changed since the last Post, as of this revision.
  void Post(uint64_t cluster_id, int64_t revision);

  // A member hears at once what is known, if anything is.
  void Join(const MemberPtr& member);
  // Nothing is posted to the member's executor any more.
  void Leave(const MemberPtr& member) { std::erase(members_, member); }

 private:
  void Tell(const Member& member) const;

  RbacState state_;
  bool changed_ = false;
  std::shared_ptr<const RbacUpdate> last_;  // null before the first listing
  std::vector<MemberPtr> members_;
};

// The feed is used and destroyed on `executor`; `join` and `leave` hold the board's mutex.
std::unique_ptr<RbacFeed> MakeRbacFeed(Executor* executor,
                                       std::function<void(const RbacBoard::MemberPtr&)> join,
                                       std::function<void(const RbacBoard::MemberPtr&)> leave);

}  // namespace cdc
