// Users, roles and grants.
#include "client/milvus/milvus_client.h"
#include "client/milvus/milvus_client_impl.h"
#include "milvus/rbac.pb.h"

namespace cdc {
namespace {

using enum MilvusCallClass;

// What a server writes into a reason is not ours to trust.
MilvusDone<Status> WithoutSecrets(std::vector<std::string> secrets, MilvusDone<Status> done) {
  return [secrets = std::move(secrets), done = std::move(done)](const Status& status) {
    if (status) return done(status);
    Error error = status.error();
    for (const std::string& secret : secrets) {
      for (size_t at = 0;
           !secret.empty() && (at = error.message.find(secret, at)) != std::string::npos;) {
        error.message.replace(at, secret.size(), "***");
      }
    }
    done(error);
  };
}

int32_t TypeOf(MilvusClient::Op op) {
  return op == MilvusClient::Op::kAdd ? 0 : 1;
}

// The older call has no way to say these.
bool NeedsNewCall(const RbacGrant& grant) {
  return grant.group || (grant.object == kGlobalObject && grant.object_name != kAnyName);
}

RbacGrant FromWire(const wire::GrantEntity& wire) {
  RbacGrant grant;
  grant.role = wire.role().name();
  grant.object = wire.object().name();
  grant.database = wire.db_name().empty() ? kDefaultDatabase : wire.db_name();
  grant.object_name = wire.object_name();
  grant.privilege = wire.grantor().privilege().name();
  return grant;
}

}  // namespace

void MilvusClient::ListUsers(
    MilvusDone<Result<std::map<std::string, std::set<std::string>>>> done) {
  wire::SelectUserRequest request;
  request.set_include_role_info(true);
  CallMilvus<wire::SelectUserResponse>(
      *impl_->channel, "SelectUser", kRead, request, "", kReadTimeout,
      [done = std::move(done)](Result<wire::SelectUserResponse> answer) {
        if (!answer) return done(answer.error());
        std::map<std::string, std::set<std::string>> users;
        for (const auto& result : answer->results()) {
          std::set<std::string>& roles = users[result.user().name()];
          for (const auto& role : result.roles()) roles.insert(role.name());
        }
        done(std::move(users));
      });
}

void MilvusClient::CreateUser(const std::string& user, const std::string& password,
                              MilvusDone<Status> done) {
  wire::CreateCredentialRequest request;
  request.set_username(user);
  request.set_password(password);
  CallForStatus(*impl_->channel, "CreateCredential", request, "", kDdlTimeout,
                WithoutSecrets({password}, std::move(done)));
}

void MilvusClient::RestoreUser(const std::string& user, const std::string& hash,
                               MilvusDone<Status> done) {
  wire::RestoreRbacRequest request;
  auto* info = request.mutable_rbac_meta()->add_users();
  info->set_user(user);
  info->set_password(hash);
  CallForStatus(*impl_->channel, "RestoreRBAC", request, "", kDdlTimeout,
                WithoutSecrets({hash}, std::move(done)));
}

void MilvusClient::ChangePassword(const std::string& user, const std::string& old_password,
                                  const std::string& password, MilvusDone<Status> done) {
  wire::UpdateCredentialRequest request;
  request.set_username(user);
  request.set_old_password(old_password);
  request.set_new_password(password);
  auto changed = [done = std::move(done)](const Status& status) {
    // Code 1400 like any other lack of authentication: only the words tell.
    const bool other_password =
        !status && status.error().message.find("old password") != std::string::npos;
    done(other_password ? Status(FatalError(status.error().message, ErrorKind::kConflict))
                        : status);
  };
  CallForStatus(*impl_->channel, "UpdateCredential", request, "", kDdlTimeout,
                WithoutSecrets({password, old_password}, std::move(changed)));
}

void MilvusClient::DropUser(const std::string& user, MilvusDone<Status> done) {
  wire::DeleteCredentialRequest request;
  request.set_username(user);
  CallForStatus(*impl_->channel, "DeleteCredential", request, "", kDdlTimeout, std::move(done));
}

void MilvusClient::ListRoles(MilvusDone<Result<std::set<std::string>>> done) {
  CallMilvus<wire::SelectRoleResponse>(
      *impl_->channel, "SelectRole", kRead, wire::SelectRoleRequest(), "", kReadTimeout,
      [done = std::move(done)](Result<wire::SelectRoleResponse> answer) {
        if (!answer) return done(answer.error());
        std::set<std::string> roles;
        for (const auto& result : answer->results()) roles.insert(result.role().name());
        done(std::move(roles));
      });
}

void MilvusClient::CreateRole(const std::string& role, MilvusDone<Status> done) {
  wire::CreateRoleRequest request;
  request.mutable_entity()->set_name(role);
  CallForStatus(*impl_->channel, "CreateRole", request, "", kDdlTimeout, std::move(done));
}

void MilvusClient::DropRole(const std::string& role, MilvusDone<Status> done) {
  wire::DropRoleRequest request;
  request.set_role_name(role);
  CallForStatus(*impl_->channel, "DropRole", request, "", kDdlTimeout, std::move(done));
}

void MilvusClient::ChangeBinding(Op op, const std::string& user, const std::string& role,
                                 MilvusDone<Status> done) {
  wire::OperateUserRoleRequest request;
  request.set_username(user);
  request.set_role_name(role);
  request.set_type(TypeOf(op));
  CallForStatus(*impl_->channel, "OperateUserRole", request, "", kDdlTimeout, std::move(done));
}

void MilvusClient::ListGrants(const std::string& role, const std::string& database,
                              MilvusDone<Result<std::set<RbacGrant>>> done) {
  wire::SelectGrantRequest request;
  request.mutable_entity()->mutable_role()->set_name(role);
  request.mutable_entity()->set_db_name(database);
  CallMilvus<wire::SelectGrantResponse>(
      *impl_->channel, "SelectGrant", kRead, request, "", kReadTimeout,
      [done = std::move(done)](Result<wire::SelectGrantResponse> answer) {
        if (!answer) return done(answer.error());
        std::set<RbacGrant> grants;
        for (const auto& entity : answer->entities()) grants.insert(FromWire(entity));
        done(std::move(grants));
      });
}

void MilvusClient::ChangeGrant(Op op, const RbacGrant& grant, MilvusDone<Status> done) {
  if (NeedsNewCall(grant)) {
    wire::OperatePrivilegeV2Request request;
    request.mutable_role()->set_name(grant.role);
    request.mutable_grantor()->mutable_privilege()->set_name(grant.privilege);
    request.set_type(TypeOf(op));
    request.set_db_name(grant.database);
    request.set_collection_name(grant.object_name);
    return CallForStatus(*impl_->channel, "OperatePrivilegeV2", request, "", kDdlTimeout,
                         std::move(done));
  }
  wire::OperatePrivilegeRequest request;
  wire::GrantEntity* entity = request.mutable_entity();
  entity->mutable_role()->set_name(grant.role);
  entity->mutable_object()->set_name(grant.object);
  entity->set_object_name(grant.object_name);
  entity->mutable_grantor()->mutable_privilege()->set_name(grant.privilege);
  entity->set_db_name(grant.database);
  request.set_type(TypeOf(op));
  CallForStatus(*impl_->channel, "OperatePrivilege", request, "", kDdlTimeout, std::move(done));
}

void MilvusClient::ListPrivilegeGroups(
    MilvusDone<Result<std::map<std::string, std::set<std::string>>>> done) {
  CallMilvus<wire::ListPrivilegeGroupsResponse>(
      *impl_->channel, "ListPrivilegeGroups", kRead, wire::ListPrivilegeGroupsRequest(), "",
      kReadTimeout, [done = std::move(done)](Result<wire::ListPrivilegeGroupsResponse> answer) {
        if (!answer) return done(answer.error());
        std::map<std::string, std::set<std::string>> groups;
        for (const auto& group : answer->privilege_groups()) {
          std::set<std::string>& privileges = groups[group.group_name()];
          for (const auto& privilege : group.privileges()) privileges.insert(privilege.name());
        }
        done(std::move(groups));
      });
}

void MilvusClient::CreatePrivilegeGroup(const std::string& group, MilvusDone<Status> done) {
  wire::PrivilegeGroupRequest request;
  request.set_group_name(group);
  CallForStatus(*impl_->channel, "CreatePrivilegeGroup", request, "", kDdlTimeout, std::move(done));
}

void MilvusClient::DropPrivilegeGroup(const std::string& group, MilvusDone<Status> done) {
  wire::PrivilegeGroupRequest request;
  request.set_group_name(group);
  CallForStatus(*impl_->channel, "DropPrivilegeGroup", request, "", kDdlTimeout, std::move(done));
}

void MilvusClient::ChangePrivilegeGroup(Op op, const std::string& group,
                                        const std::set<std::string>& privileges,
                                        MilvusDone<Status> done) {
  wire::OperatePrivilegeGroupRequest request;
  request.set_group_name(group);
  for (const std::string& privilege : privileges) request.add_privileges()->set_name(privilege);
  request.set_type(TypeOf(op));
  CallForStatus(*impl_->channel, "OperatePrivilegeGroup", request, "", kDdlTimeout,
                std::move(done));
}

}  // namespace cdc
