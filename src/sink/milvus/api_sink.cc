#include "sink/milvus/api_sink.h"

#include "sink/milvus/api_plan.h"

namespace cdc {

// One Send in progress.
struct ApiSink::Run {
  std::shared_ptr<const LaneBatch> batch;
  std::vector<ApiCall> calls;
  size_t next = 0;
  size_t applied = 0;
  Callback<SendOutcome> done;
};

ApiSink::ApiSink(TargetAddress address, Executor* executor, MilvusSinkOptions options)
    : executor_(executor), options_(options), connections_(std::move(address)) {}

ApiSink::~ApiSink() = default;

void ApiSink::Send(std::shared_ptr<const LaneBatch> batch, Callback<SendOutcome> done) {
  auto run = std::make_shared<Run>();
  run->batch = std::move(batch);
  run->done = std::move(done);
  auto calls = PlanApiCalls(*run->batch, ApiPlanOptions{});
  if (!calls) {
    executor_->Post(alive_.Guard([run, error = calls.error()] { run->done({error, 0}); }));
    return;
  }
  run->calls = *std::move(calls);
  executor_->Post(alive_.Guard([this, run] { Next(run); }));
}

void ApiSink::Next(std::shared_ptr<Run> run) {
  if (run->next == run->calls.size()) {
    run->done({OkStatus(), run->batch->items.size()});
    return;
  }
  auto client = connections_.Get(run->batch->lane);
  if (!client) {
    run->done({client.error(), run->applied});
    return;
  }
  auto proceed = alive_.Guard([this, run](Status status) {
    if (!status) {
      run->done({status, run->applied});
      return;
    }
    run->applied = run->calls[run->next].items_done;
    run->calls[run->next].request = {};
    ++run->next;
    Next(run);
  });
  auto answered = [this, proceed](Result<MutationCounts> answer) mutable {
    executor_->Post([proceed, status = answer ? OkStatus() : Status(answer.error())]() mutable {
      proceed(status);
    });
  };
  const ApiCall& call = run->calls[run->next];
  switch (call.kind) {
    case ApiCall::Kind::kInsert:
      (*client)->Insert(call.name.database, call.request, answered);
      break;
    case ApiCall::Kind::kUpsert:
      (*client)->Upsert(call.name.database, call.request, answered);
      break;
    case ApiCall::Kind::kDelete:
      (*client)->Delete(call.name, call.partition, call.expression, answered);
      break;
  }
}

void ApiSink::Drain(const std::string& lane, Callback<Status> done) {
  connections_.Drop(lane);
  executor_->PostAfter(options_.settle,
                       alive_.Guard([done = std::move(done)] { done(OkStatus()); }));
}

}  // namespace cdc
