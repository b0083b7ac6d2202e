#include "pipeline/rbac_follower.h"

#include <algorithm>
#include <utility>

#include "base/format.h"

namespace cdc {
namespace {

using Kind = RbacStep::Kind;

// As many passes in a row may change something: a privilege brings others with it in some versions.
constexpr int kMaxRounds = 6;
constexpr size_t kMaxNames = 5;

std::string Quoted(const std::set<std::string>& names) {
  std::string text;
  size_t count = 0;
  for (const std::string& name : names) {
    if (++count > kMaxNames) return text + Format(" and {} more", names.size() - kMaxNames);
    text += (text.empty() ? "'" : ", '") + name + "'";
  }
  return text;
}

bool IsDrop(Kind kind) {
  return kind == Kind::kDropUser || kind == Kind::kDropRole || kind == Kind::kDropGroup;
}

bool IsAway(const Error& error) {
  return error.kind == ErrorKind::kUnavailable || error.kind == ErrorKind::kUnknownOutcome;
}

}  // namespace

RbacFollower::RbacFollower(Options options, RbacCatalog known, Executor* executor, Ports ports,
                           std::function<void(const Error*)> trouble)
    : options_(std::move(options)),
      executor_(executor),
      ports_(std::move(ports)),
      trouble_(std::move(trouble)),
      known_(std::move(known)),
      remembered_(known_) {
  // What is first heard may be older than what the catalog was last seen at.
  if (options_.source_cluster) source_ = SourceIdentity{*options_.source_cluster, 0};
  std::erase_if(known_.users,
                [&](const auto& entry) { return options_.untouched.contains(entry.first); });
  std::erase_if(known_.bindings,
                [&](const auto& entry) { return options_.untouched.contains(entry.first); });
}

void RbacFollower::Start() {
  ports_.feed->Start(alive_.Guard([this](RbacUpdate update) { OnUpdate(std::move(update)); }));
  if (ports_.operations == nullptr) return;
  reader_ = ports_.operations->Open(options_.operations);
  ReadOperations();
}

// ---- the source -------------------------------------------------------------------------------

std::string RbacFollower::Distrust(const RbacUpdate& update) const {
  const bool other = source_ && update.cluster_id != source_->cluster_id;
  if (other || (source_ && update.revision < source_->revision)) {
    return "users and roles are not followed: the source's etcd is not the one that it was";
  }
  if (!update.catalog.users.contains(kRootUser)) {
    return "users and roles are not followed: the source's etcd holds no user 'root', which every "
           "Milvus has; was its metadata deleted?";
  }
  return "";
}

void RbacFollower::OnUpdate(RbacUpdate update) {
  if (halted_) return;
  distrust_ = Distrust(update);
  if (!distrust_.empty()) return Tell(Duration(0));
  source_ = SourceIdentity{update.cluster_id, update.revision};
  wanted_ = WantedRbac(update.catalog, options_.selection, options_.untouched);
  RememberRbac(*wanted_, &known_);
  std::erase_if(passwords_refused_,
                [&](const auto& entry) { return !wanted_->users.contains(entry.first); });
  rounds_ = 0;
  Wake();
}

void RbacFollower::ReadOperations() {
  reader_->Read(alive_.Guard([this](Result<std::vector<Operation>> read) {
    if (halted_) return;
    if (read.ok()) {
      read_trouble_.clear();
      read_backoff_.Reset();
      OnOperations(*read);
      return ReadOperations();
    }
    read_trouble_ = "operation topic: " + read.error().message;
    if (read.error().kind == ErrorKind::kPositionGone) {
      // Passwords told in between are lost. Who is missing for that reason is reported by name;
      // whose was changed nobody can tell.
      lost_ =
          "passwords that were changed at the source while its operation topic was not read are "
          "not known; change them once more (" +
          read.error().message + ")";
      reader_ = ports_.operations->Open(LogPosition{});
    }
    const Duration wait = read_backoff_.Next();
    Tell(wait);
    executor_->PostAfter(wait, alive_.Guard([this] { ReadOperations(); }));
  }));
}

void RbacFollower::OnOperations(const std::vector<Operation>& operations) {
  bool of_users = false;
  for (const Operation& operation : operations) {
    passwords_.Take(operation, executor_->clock().Now());
    if (!operation.credential) continue;
    const std::string& user = operation.credential->user;
    if (options_.untouched.contains(user)) passwords_.Settle(user, operation.credential->password);
    passwords_refused_.erase(user);
    of_users = true;
  }
  if (of_users) Wake();
}

// ---- one pass: list, plan, apply --------------------------------------------------------------

void RbacFollower::Wake() {
  if (running_) {
    dirty_ = true;
  } else {
    Schedule(Duration(0));
  }
}

void RbacFollower::Schedule(Duration wait) {
  executor_->PostAfter(wait, alive_.Guard([this, timer = ++timer_] {
    if (timer == timer_ && !running_) BeginPass();
  }));
}

void RbacFollower::BeginPass() {
  if (halted_ || !wanted_) return;
  running_ = true;
  dirty_ = false;
  applied_ = false;
  failure_.reset();
  refused_.clear();
  passwords_.OnUsers(wanted_->users, executor_->clock().Now());
  ports_.admin->List(ScopeOf(*wanted_, known_), alive_.Guard([this](Result<TargetRbac> has) {
    if (has.ok()) return OnListed(*has);
    failure_ = has.error();
    EndPass();
  }));
}

void RbacFollower::OnListed(const TargetRbac& has) {
  ForgetRbac(*wanted_, has.catalog, &known_);
  groups_missing_ = !has.has_groups && !wanted_->groups.empty();
  RbacCatalog wanted = *wanted_;
  LeaveOutUnmakeable(has.catalog, &wanted);
  for (RbacStep& step : PasswordSteps(has.catalog)) steps_.push_back(std::move(step));
  const bool hold = options_.drops == DropPolicy::kHold;
  for (RbacStep& step : PlanRbac(wanted, has, known_)) {
    if (hold && IsDrop(step.kind)) continue;
    if (step.kind == Kind::kCreateUser) {
      const auto told = passwords_.pending().find(step.name);
      if (told != passwords_.pending().end()) step.password = told->second.password;
    }
    steps_.push_back(std::move(step));
  }
  RememberKnown();
}

// Before the steps: what they make must be known as ours in the next life.
void RbacFollower::RememberKnown() {
  if (!ports_.remember || known_ == remembered_) return ApplyNext();
  ports_.remember(known_, alive_.Guard([this, known = known_](const Status& status) {
    if (status.ok()) {
      remembered_ = known;
      return ApplyNext();
    }
    failure_ = status.error().Prefixed("remember users and roles");
    EndPass();
  }));
}

void RbacFollower::LeaveOutUnmakeable(const RbacCatalog& has, RbacCatalog* wanted) {
  std::map<std::string, TimePoint> without;
  for (const auto& [user, hash] : wanted_->users) {
    if (has.users.contains(user) || passwords_.pending().contains(user)) continue;
    if (!hash.empty() && !hashes_refused_) continue;
    const auto since = without_password_.find(user);
    without[user] = since == without_password_.end() ? executor_->clock().Now() : since->second;
    wanted->users.erase(user);
    std::erase_if(wanted->bindings, [&](const auto& entry) { return entry.first == user; });
  }
  without_password_ = std::move(without);
}

std::vector<RbacStep> RbacFollower::PasswordSteps(const RbacCatalog& has) {
  std::vector<RbacStep> steps;
  for (const auto& [user, told] : passwords_.pending()) {
    // Who is not there is made with it, by the plan; whom the source has not, waits for it.
    if (!has.users.contains(user) || !wanted_->users.contains(user)) continue;
    RbacStep step;
    step.name = user;
    step.password = told.password;
    if (replaced_.contains(user)) {
      step.kind = Kind::kDropUser;
      steps.push_back(step);
      step.kind = Kind::kCreateUser;
    } else {
      step.kind = Kind::kSetPassword;
      step.old_passwords = told.old_passwords;
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

void RbacFollower::ApplyNext() {
  if (steps_.empty() || dirty_ || halted_) return EndPass();
  const RbacStep step = std::move(steps_.front());
  steps_.pop_front();
  ports_.admin->Apply(step, alive_.Guard([this, step](const Status& status) {
    OnApplied(step, status);
    ApplyNext();
  }));
}

void RbacFollower::OnApplied(const RbacStep& step, const Status& status) {
  const bool of_password = !step.password.empty();
  if (status.ok()) {
    applied_ = true;
    last_applied_ = ToString(step);
    if (step.kind == Kind::kDropUser || !of_password) return;
    passwords_.Settle(step.name, step.password);
    passwords_refused_.erase(step.name);
    replaced_.erase(step.name);
    return;
  }
  if (step.kind == Kind::kCreateUser && status.error().kind == ErrorKind::kAlreadyExists) {
    applied_ = true;  // by somebody else just now: the next pass sets its password
    last_applied_ = ToString(step);
    return;
  }
  if (!status.error().IsRetry()) return OnRefused(step, status.error());
  failure_ = status.error().Prefixed(ToString(step));
  if (IsAway(status.error())) steps_.clear();
}

void RbacFollower::OnRefused(const RbacStep& step, const Error& error) {
  const bool by_hash = step.kind == Kind::kCreateUser && step.password.empty();
  if (by_hash && error.kind == ErrorKind::kUnsupported) {
    hashes_refused_ = true;
    without_password_.try_emplace(step.name, executor_->clock().Now());
    dirty_ = true;  // to plan again without it, and without the others
    return;
  }
  if (step.kind == Kind::kSetPassword && error.kind == ErrorKind::kConflict) {
    const auto told = passwords_.pending().find(step.name);
    if (told == passwords_.pending().end()) return;  // its user is gone meanwhile
    if (told->second.replaced && options_.drops != DropPolicy::kHold) {
      replaced_.insert(step.name);
      dirty_ = true;
      return;
    }
    passwords_.Settle(step.name, step.password);
    passwords_refused_[step.name] = error.message;
    return;
  }
  refused_[ToString(step)] = error.message;
}

void RbacFollower::EndPass() {
  running_ = false;
  steps_.clear();
  if (halted_) return;
  Duration wait = options_.check_interval;
  rounds_ = applied_ && !failure_ ? rounds_ + 1 : 0;
  if (failure_) {
    wait = backoff_.Next();
  } else {
    backoff_.Reset();
    // Once more, to see it in place. What does not stay there is told, and tried again later.
    if (dirty_ || (applied_ && rounds_ < kMaxRounds)) wait = Duration(0);
  }
  const TimePoint now = executor_->clock().Now();
  for (const auto& [user, since] : without_password_) {
    const Duration left = since + options_.password_grace - now;
    if (left > Duration(0)) wait = std::min(wait, left);
  }
  if (wait > Duration(0)) Tell(failure_ ? wait : Duration(0));
  if (rounds_ >= kMaxRounds) rounds_ = 0;
  Schedule(wait);
}

// ---- what is wrong ----------------------------------------------------------------------------

std::vector<std::string> RbacFollower::Problems() const {
  std::vector<std::string> problems;
  if (!distrust_.empty()) problems.push_back(distrust_);
  if (failure_) problems.push_back(failure_->message);
  if (rounds_ >= kMaxRounds) {
    problems.push_back("the target does not keep what was done: " + last_applied_);
  }
  if (!refused_.empty()) {
    const auto& [step, why] = *refused_.begin();
    const std::string more =
        refused_.size() > 1 ? Format(" (and {} more are refused)", refused_.size() - 1) : "";
    problems.push_back(step + ": " + why + more);
  }
  const TimePoint now = executor_->clock().Now();
  std::set<std::string> without;
  for (const auto& [user, since] : without_password_) {
    if (now - since >= options_.password_grace) without.insert(user);
  }
  if (!without.empty()) {
    problems.push_back(
        "users whose password was not told are not on the target: " + Quoted(without) +
        "; create them there with the same password, or change it at the source");
  }
  for (const auto& [user, why] : passwords_refused_) {
    problems.push_back(
        Format("user '{}' has another password on the target than it had at the source ({}): set "
               "the new one there by hand",
               user, why));
  }
  const std::set<std::string> unseen = passwords_.ChangedUnseen(now);
  if (!unseen.empty()) {
    problems.push_back("passwords were changed at the source, which did not tell them: " +
                       Quoted(unseen) + "; set them on the target, then pause and resume the task");
  }
  if (groups_missing_) {
    problems.push_back(
        "privilege groups and their grants are left out: the target's version has "
        "none");
  }
  if (!read_trouble_.empty()) problems.push_back(read_trouble_);
  if (!lost_.empty()) problems.push_back(lost_);
  return problems;
}

void RbacFollower::Tell(Duration wait) {
  std::string text;
  for (const std::string& problem : Problems()) text += (text.empty() ? "" : "; ") + problem;
  if (text.empty()) {
    if (told_) trouble_(nullptr);
    told_ = false;
    return;
  }
  told_ = true;
  const Error error = RetryError(text).RetriedIn(wait);
  trouble_(&error);
}

}  // namespace cdc
