#include "source/rbac_feed.h"

#include <utility>

#include "base/log.h"

namespace cdc {

void RbacBoard::Replace(const std::vector<EtcdKeyValue>& kvs) {
  state_.Clear();
  for (const EtcdKeyValue& kv : kvs) state_.Put(kv.key, kv.value);
  changed_ = true;
}

void RbacBoard::Apply(const EtcdEvent& event) {
  const bool put = event.kind == EtcdEvent::Kind::kPut;
  const bool ours = put ? state_.Put(event.kv.key, event.kv.value) : state_.Delete(event.kv.key);
  changed_ = changed_ || ours;
}

void RbacBoard::Post(uint64_t cluster_id, int64_t revision) {
  for (const std::string& problem : state_.TakeProblems()) LogError("catalog: {}", problem);
  if (!std::exchange(changed_, false)) return;
  last_ = std::make_shared<const RbacUpdate>(RbacUpdate{cluster_id, revision, state_.Catalog()});
  for (const MemberPtr& member : members_) Tell(*member);
}

void RbacBoard::Join(const MemberPtr& member) {
  members_.push_back(member);
  if (last_ != nullptr) Tell(*member);
}

void RbacBoard::Tell(const Member& member) const {
  member.executor->Post([tell = member.on_update, update = last_] { tell(update); });
}

namespace {

class BoardFeed final : public RbacFeed {
 public:
  BoardFeed(Executor* executor, std::function<void(const RbacBoard::MemberPtr&)> join,
            std::function<void(const RbacBoard::MemberPtr&)> leave)
      : join_(std::move(join)), leave_(std::move(leave)) {
    member_->executor = executor;
  }
  ~BoardFeed() override { leave_(member_); }

  void Start(Callback<RbacUpdate> on_update) override {
    member_->on_update =
        alive_.Guard([tell = std::move(on_update)](const auto& update) { tell(*update); });
    join_(member_);
  }

 private:
  const std::function<void(const RbacBoard::MemberPtr&)> join_;
  const std::function<void(const RbacBoard::MemberPtr&)> leave_;
  const RbacBoard::MemberPtr member_ = std::make_shared<RbacBoard::Member>();
  Alive alive_;
};

}  // namespace

std::unique_ptr<RbacFeed> MakeRbacFeed(Executor* executor,
                                       std::function<void(const RbacBoard::MemberPtr&)> join,
                                       std::function<void(const RbacBoard::MemberPtr&)> leave) {
  return std::make_unique<BoardFeed>(executor, std::move(join), std::move(leave));
}

}  // namespace cdc
