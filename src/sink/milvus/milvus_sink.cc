#include "sink/milvus/milvus_sink.h"

#include <utility>
#include <vector>

#include "sink/milvus/api_plan.h"
#include "sink/milvus/replicate_plan.h"

namespace cdc {
namespace {

void Make(MilvusClient* client, const PlannedCall& call, std::function<void(Status)> done) {
  const auto answered = [done = std::move(done)](const auto& answer) {
    done(answer ? OkStatus() : Status(answer.error()));
  };
  switch (call.kind) {
    case PlannedCall::Kind::kReplicate:
      client->ReplicateMessage(call.request, answered);
      break;
    case PlannedCall::Kind::kInsert:
      client->Insert(call.name.database, call.request, answered);
      break;
    case PlannedCall::Kind::kUpsert:
      client->Upsert(call.name.database, call.request, answered);
      break;
    case PlannedCall::Kind::kDelete:
      client->Delete(call.name, call.partition, call.expression, answered);
      break;
  }
}

}  // namespace

// One Send in progress.
struct MilvusSink::Run {
  std::shared_ptr<const LaneBatch> batch;
  std::vector<PlannedCall> calls;
  size_t next = 0;
  size_t applied = 0;
  Callback<SendOutcome> done;
};

MilvusSink::MilvusSink(TargetAddress address, TargetMode mode, Executor* executor)
    : MilvusSink(std::move(address), mode, executor, Options()) {}

MilvusSink::MilvusSink(TargetAddress address, TargetMode mode, Executor* executor, Options options)
    : address_(std::move(address)), mode_(mode), executor_(executor), options_(options) {}

MilvusSink::~MilvusSink() = default;

void MilvusSink::Send(std::shared_ptr<const LaneBatch> batch, Callback<SendOutcome> done) {
  auto run = std::make_shared<Run>();
  run->batch = std::move(batch);
  run->done = std::move(done);
  auto calls =
      mode_ == TargetMode::kReplicate
          ? PlanReplicateCalls(*run->batch, options_.max_replicate_bytes)
          : PlanApiCalls(*run->batch, {options_.max_rows_bytes, options_.max_expression_bytes});
  if (!calls) {
    executor_->Post(alive_.Guard([run, error = calls.error()] { run->done({error, 0}); }));
    return;
  }
  duplicate_keys_ += replayed_[run->batch->lane].Note(*run->batch);
  run->calls = *std::move(calls);
  executor_->Post(alive_.Guard([this, run] { Next(run); }));
}

void MilvusSink::Next(std::shared_ptr<Run> run) {
  if (run->next == run->calls.size()) {
    run->done({OkStatus(), run->batch->items.size()});
    return;
  }
  if (run->calls[run->next].alone && std::exchange(alone_, true)) {
    waiting_to_be_alone_.push_back(std::move(run));
    return;
  }
  Start(std::move(run));
}

void MilvusSink::LetNextAlone() {
  alone_ = !waiting_to_be_alone_.empty();
  if (!alone_) return;
  auto run = std::move(waiting_to_be_alone_.front());
  waiting_to_be_alone_.pop_front();
  Start(std::move(run));
}

void MilvusSink::Start(std::shared_ptr<Run> run) {
  auto client = ConnectionOf(run->batch->lane);
  if (!client) {
    if (run->calls[run->next].alone) LetNextAlone();
    run->done({client.error(), run->applied});
    return;
  }
  auto proceed = alive_.Guard([this, run](Status status) {
    if (run->calls[run->next].alone) LetNextAlone();
    if (!status) {
      run->done({status, run->applied});
      return;
    }
    run->applied = run->calls[run->next].items_done;
    run->calls[run->next].request = {};
    ++run->next;
    Next(run);
  });
  Make(client->get(), run->calls[run->next], [this, proceed](Status status) {
    executor_->Post([proceed, status = std::move(status)]() mutable { proceed(status); });
  });
}

Result<std::shared_ptr<MilvusClient>> MilvusSink::ConnectionOf(const std::string& lane) {
  auto it = connections_.find(lane);
  if (it == connections_.end()) {
    CDC_ASSIGN_OR_RETURN(auto client, MilvusClient::Open(address_));
    it = connections_.emplace(lane, std::move(client)).first;
  }
  return it->second;
}

void MilvusSink::Drain(const std::string& lane, Callback<Status> done) {
  connections_.erase(lane);  // cancels what is in flight there and waits for its end
  auto client = ConnectionOf(lane);
  if (!client) {
    executor_->Post(alive_.Guard([done, error = client.error()] { done(error); }));
    return;
  }
  // A call may be held up on the way, or by a target that stands still. The answer shows that both
  // move again; what was held up moves with it, and has the settle time to be carried out.
  auto settle = alive_.Guard([this, done = std::move(done)](const Status& status) {
    if (!status) {
      done(status);
      return;
    }
    executor_->PostAfter(options_.settle, alive_.Guard([done] { done(OkStatus()); }));
  });
  (*client)->GetVersion([this, settle](const Result<std::string>& version) {
    executor_->Post([settle, status = version ? OkStatus() : Status(version.error())]() mutable {
      settle(status);
    });
  });
}

}  // namespace cdc
