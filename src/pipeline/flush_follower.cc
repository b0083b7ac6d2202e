#include "pipeline/flush_follower.h"

#include <utility>

namespace cdc {
namespace {

constexpr Duration kQuiet = std::chrono::seconds(15);  // longer than a log needs to notice a hang

}  // namespace

FlushFollower::FlushFollower(LogPosition start, Executor* executor, OperationSource* source,
                             TargetAdmin* admin, const Reconciler* reconciler, Host host)
    : start_(start),
      executor_(executor),
      source_(source),
      admin_(admin),
      reconciler_(reconciler),
      host_(std::move(host)) {}

void FlushFollower::Start() {
  reader_ = source_->Open(start_);
  Read();
}

void FlushFollower::Read() {
  if (reading_) return;
  reading_ = true;
  // The topic may be silent for days: that nothing goes wrong for a while has to do as recovery.
  if (troubled_) {
    executor_->PostAfter(kQuiet, alive_.Guard([this, read = reads_] {
      if (reading_ && read == reads_) SetTrouble(nullptr);
    }));
  }
  reader_->Read(alive_.Guard([this](Result<std::vector<Operation>> read) {
    ++reads_;
    if (!read.ok()) {
      if (read.error().kind == ErrorKind::kPositionGone) {
        // Only flushes are read here, and a missed one costs nothing but time: not a reason to stop
        // the data.
        reader_ = source_->Open(LogPosition{});
      } else if (!read.error().IsRetry()) {
        host_.fail(read.error().Prefixed("operation topic"));
        return;
      }
      const Duration wait = backoff_.Next();
      const Error error = read.error().RetriedIn(wait);
      SetTrouble(&error);
      // Until then it counts as reading: Continue() comes with every checkpoint.
      executor_->PostAfter(wait, alive_.Guard([this] {
        reading_ = false;
        Read();
      }));
      return;
    }
    reading_ = false;
    SetTrouble(nullptr);
    backoff_.Reset();
    for (Operation& operation : *read) queue_.push_back(std::move(operation));
    Continue();
  }));
}

void FlushFollower::SetTrouble(const Error* error) {
  troubled_ = error != nullptr;
  host_.trouble(error);
}

void FlushFollower::Continue() {
  while (!flushing_ && !queue_.empty() && reconciler_->catalog_seen()) {
    const Operation& operation = queue_.front();
    std::vector<TargetName> names;
    const std::string database = operation.database.empty() ? kDefaultDatabase : operation.database;
    for (const std::string& collection : operation.collections) {
      if (!operation.is_flush) break;
      std::vector<std::string> channels;
      const auto name = reconciler_->WhereIs(database, collection, &channels);
      // Not there yet, or not all of its rows: Continue() comes again.
      if (!channels.empty() && !(name && host_.passed(channels, operation.ts))) return;
      if (name) names.push_back(*name);
    }
    if (!IsKnownOperation(operation.msg_type)) host_.unknown();
    flushing_ = true;
    const LogPosition done{LogPosition::Kind::kAfter, operation.id};
    queue_.pop_front();
    FlushNext(std::move(names), done);
  }
  if (queue_.empty() && reader_ && !flushing_) Read();
}

void FlushFollower::FlushNext(std::vector<TargetName> names, LogPosition done) {
  if (names.empty()) {
    flushing_ = false;
    host_.moved(done);
    executor_->Post(alive_.Guard([this] { Continue(); }));
    return;
  }
  DdlStep step;
  step.kind = DdlStep::Kind::kFlush;
  step.name = names.back();
  admin_->Apply(step, alive_.Guard([this, step, names, done](Status status) mutable {
    const bool retry = !status.ok() && status.error().IsRetry();
    if (!status.ok() && status.error().kind != ErrorKind::kNotFound) {
      const Error error = RetryError(ToString(step) + ": " + status.error().message);
      SetTrouble(&error);
    } else {
      SetTrouble(nullptr);
    }
    if (!retry) {  // done, or refused for good: reported, and not worth holding up the others
      names.pop_back();
      backoff_.Reset();
      FlushNext(std::move(names), done);
      return;
    }
    executor_->PostAfter(backoff_.Next(), alive_.Guard([this, names, done]() mutable {
      FlushNext(std::move(names), done);
    }));
  }));
}

}  // namespace cdc
