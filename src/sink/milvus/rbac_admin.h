// MilvusRbacAdmin: users, roles and grants of a target Milvus.
//
// Contract: pipeline/rbac_ports.h (RbacAdmin). Used on the executor; callbacks run there. The
// client is shared and is given up with this object; the executor must outlive it. Nothing blocks.
//
// milvus-lite has no users: every call is kUnsupported there.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/executor.h"
#include "client/milvus/milvus_client.h"
#include "pipeline/rbac_ports.h"
#include "sink/milvus/answering.h"

namespace cdc {

class MilvusRbacAdmin final : public RbacAdmin, private Answering {
 public:
  MilvusRbacAdmin(std::shared_ptr<MilvusClient> client, Executor* executor);

  void List(RbacScope scope, Callback<Result<TargetRbac>> done) override;
  void Apply(RbacStep step, Callback<Status> done) override;

 private:
  // A listing under way: what it still asks for, and what it has.
  struct Listing {
    std::vector<std::pair<std::string, std::string>> asked;  // role, database; the last one next
    TargetRbac found;
    Callback<Result<TargetRbac>> done;
  };
  using ListingPtr = std::shared_ptr<Listing>;

  void ListRoles(RbacScope scope, ListingPtr listing);
  void ListGroups(ListingPtr listing);
  void ListGrants(ListingPtr listing);
  void CreateUser(const RbacStep& step, Done done);
  // Tries the passwords that it may have, from the last one on.
  void SetPassword(RbacStep step, Done done);

  std::shared_ptr<MilvusClient> client_;
  bool lists_every_database_ = false;  // "*" was seen to mean that; it does not in old versions
};

}  // namespace cdc
