// The ports of following a source's users and roles (rbac_follower.h). The rules of ports.h hold:
// everything is asynchronous, callbacks run on the pipeline's executor, exactly once, never before
// the call that took them has returned, and nothing blocks.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/result.h"
#include "model/rbac.h"
#include "pipeline/ports.h"

namespace cdc {

// Delivers a source's users, roles and grants. Destroying the feed ends it. It follows the same
// watch as the CatalogFeed of that source, which tells of etcd's troubles for both.
class RbacFeed {
 public:
  virtual ~RbacFeed() = default;
  // All there is, first as soon as it is known and then after every change, in revision order.
  // Call once.
  virtual void Start(Callback<RbacUpdate> on_update) = 0;
};

// Whose grants are asked for, and the databases that they may name ("*" is always looked at).
using RbacScope = std::map<std::string, std::set<std::string>>;

struct TargetRbac {
  RbacCatalog catalog;      // no hashes; grants of the asked scope only
  bool has_groups = false;  // its version knows privilege groups
};

// Users, roles and grants of a target. One call at a time.
class RbacAdmin {
 public:
  virtual ~RbacAdmin() = default;
  virtual void List(RbacScope scope, Callback<Result<TargetRbac>> done) = 0;
  // Steps are idempotent: creating or granting what is there and dropping or revoking what is gone
  // succeed. But kCreateUser of one that is there is kAlreadyExists, for it has its own password,
  // and kSetPassword of one with none of the named passwords is kConflict. kUnsupported: the
  // target's version cannot do that. No error text holds a password.
  virtual void Apply(RbacStep step, Callback<Status> done) = 0;
};

}  // namespace cdc
