#include "sink/milvus/milvus_sink.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/log.h"
#include "sink/milvus/api_plan.h"
#include "sink/milvus/replicate_plan.h"
#include "sink/milvus/stale_partitions.h"

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
  std::shared_ptr<const LaneBatch>
      batch;  // as sent, or what was left of it when it was planned anew
  std::optional<std::vector<size_t>> places;  // of the items that were left, in the batch as sent
  size_t items = 0;                           // of the batch as sent
  std::vector<PlannedCall> calls;
  std::vector<bool> succeeded;  // by call
  size_t next = 0;              // to be started
  size_t in_flight = 0;
  size_t through = 0;      // calls that succeeded, with all before them
  bool too_large = false;  // a call was, and surely not applied: plan anew what is left
  Status status;           // see OnCallEnded
  MilvusClient* client = nullptr;
  Callback<size_t> progress;
  Callback<SendOutcome> done;

  // Leading items of the batch as sent.
  size_t applied() const {
    const size_t done = through == 0 ? 0 : calls[through - 1].items_done;
    if (!places) return done;
    return done < places->size() ? (*places)[done] : items;
  }
};

MilvusSink::MilvusSink(TargetAddress address, TargetMode mode, Executor* executor)
    : MilvusSink(std::move(address), mode, executor, Options()) {}

MilvusSink::MilvusSink(TargetAddress address, TargetMode mode, Executor* executor, Options options)
    : address_(std::move(address)),
      mode_(mode),
      executor_(executor),
      options_(options),
      replayed_(options.max_replayed_keys),
      connections_(address_, options.max_connections) {}

MilvusSink::~MilvusSink() = default;

void MilvusSink::Send(std::shared_ptr<const LaneBatch> batch, Callback<size_t> progress,
                      Callback<SendOutcome> done) {
  auto run = std::make_shared<Run>();
  run->batch = std::move(batch);
  run->items = run->batch->items.size();
  run->progress = std::move(progress);
  run->done = std::move(done);
  auto calls = Plan(*run->batch);
  if (!calls) {
    executor_->Post(alive_.Guard([run, error = calls.error()] { run->done({error, 0}); }));
    return;
  }
  duplicate_keys_ += replayed_.Note(*run->batch);
  run->calls = *std::move(calls);
  run->succeeded.resize(run->calls.size());
  if (run->calls.empty()) {
    executor_->Post(alive_.Guard([this, run] { Finish(run); }));
    return;
  }
  connections_.Borrow([this, run](const Result<MilvusClient*>& lent) {
    if (lent) {
      run->client = *lent;
    } else {
      run->status = lent.error();
    }
    executor_->Post(alive_.Guard([this, run] { Continue(run); }));
  });
}

Result<std::vector<PlannedCall>> MilvusSink::Plan(const LaneBatch& batch) const {
  if (mode_ == TargetMode::kReplicate) {
    return PlanReplicateCalls(batch, std::min(options_.max_replicate_bytes, max_call_bytes_));
  }
  return PlanApiCalls(batch,
                      {std::min(options_.max_rows_bytes, max_call_bytes_),
                       std::min(options_.max_expression_bytes, max_call_bytes_), max_call_bytes_});
}

void MilvusSink::Continue(const std::shared_ptr<Run>& run) {
  if (run->too_large && run->in_flight == 0 && run->status.ok()) PlanRest(run);
  while (run->status.ok() && !run->too_large && run->next < run->calls.size() &&
         run->in_flight < options_.max_calls_in_flight) {
    const size_t next = run->next;
    if (run->in_flight > 0 && run->calls[next].group != run->calls[next - 1].group) return;
    ++run->next;
    ++run->in_flight;
    if (run->calls[next].alone && std::exchange(alone_, true)) {
      waiting_to_be_alone_.emplace_back(run, next);
    } else {
      Start(run, next);
    }
  }
  if (run->in_flight == 0) Finish(run);
}

void MilvusSink::Finish(const std::shared_ptr<Run>& run) {
  if (run->client != nullptr && run->status.ok()) connections_.GiveBack(run->client);
  if (run->client != nullptr && !run->status.ok()) connections_.Close(run->client);
  if (run->status.ok()) {
    run->done({OkStatus(), run->items});
  } else {
    run->done({run->status, run->applied()});
  }
}

// The items that the calls which have not succeeded carry, as a batch of its own. The others are
// applied, whatever their place.
void MilvusSink::PlanRest(const std::shared_ptr<Run>& run) {
  const LaneBatch& batch = *run->batch;
  std::vector<bool> left(batch.items.size());
  for (size_t call = 0; call < run->calls.size(); ++call) {
    if (run->succeeded[call]) continue;
    for (const ItemRange& range : run->calls[call].carries) {
      std::fill(left.begin() + static_cast<std::ptrdiff_t>(range.begin),
                left.begin() + static_cast<std::ptrdiff_t>(range.end), true);
    }
  }
  auto rest = std::make_shared<LaneBatch>();
  rest->lane = batch.lane;
  rest->tick = batch.tick;
  rest->tick_before = batch.tick_before;
  std::vector<size_t> places;
  for (size_t item = 0; item < batch.items.size(); ++item) {
    if (!left[item]) continue;
    rest->items.push_back(batch.items[item]);
    places.push_back(run->places ? (*run->places)[item] : item);
  }
  auto calls = Plan(*rest);
  if (!calls) {
    run->status = calls.error();
    return;
  }
  run->batch = std::move(rest);
  run->places = std::move(places);
  run->calls = *std::move(calls);
  run->succeeded.assign(run->calls.size(), false);
  run->next = run->through = 0;
  run->too_large = false;
}

// Lowers the limit. Ok: the rest of the batch is to be planned anew.
Status MilvusSink::OnTooLarge(const std::shared_ptr<Run>& run, size_t call, const Error& error) {
  const PlannedCall& made = run->calls[call];
  if (!made.divisible) {
    return FatalError(
        error.message +
            "; a single message of the source is larger than the target, or a gateway "
            "before it, takes at once: raise its limit (of a Milvus "
            "proxy.grpc.serverMaxRecvSize) and resume",
        ErrorKind::kLimit);
  }
  if (made.bytes() / 2 < max_call_bytes_) {
    max_call_bytes_ = made.bytes() / 2;
    LogWarn("{}; calls to it are of {} bytes at most from now on", error.message, max_call_bytes_);
  }
  if (error.IsRetry()) return RetryError(error.message, ErrorKind::kUnknownOutcome);
  run->too_large = true;
  return OkStatus();
}

void MilvusSink::LetNextAlone() {
  alone_ = !waiting_to_be_alone_.empty();
  if (!alone_) return;
  const auto [run, call] = std::move(waiting_to_be_alone_.front());
  waiting_to_be_alone_.pop_front();
  Start(run, call);
}

void MilvusSink::Start(const std::shared_ptr<Run>& run, size_t call) {
  auto ended =
      alive_.Guard([this, run, call](Status status) { OnAnswer(run, call, std::move(status)); });
  Make(run->client, run->calls[call], [this, ended](Status status) {
    executor_->Post([ended, status = std::move(status)]() mutable { ended(std::move(status)); });
  });
}

void MilvusSink::OnAnswer(const std::shared_ptr<Run>& run, size_t call, Status status) {
  const PlannedCall& made = run->calls[call];
  // milvus-lite (`alone`) keeps no such lists.
  const bool no_partition = !status.ok() && status.error().kind == ErrorKind::kNotFound &&
                            !made.partition.empty() && !made.alone;
  if (!no_partition) return OnCallEnded(run, call, std::move(status));
  auto ended = alive_.Guard([this, run, call, refused = status.error()](const Status& refreshed) {
    if (refreshed.ok()) {
      const std::string hint = "; it has that partition, and was made to look again";
      return OnCallEnded(run, call, RetryError(refused.message + hint));
    }
    OnCallEnded(run, call, refreshed.error().IsRetry() ? refreshed.error() : refused);
  });
  RefreshPartitions(run->client, made.name, made.partition, [this, ended](Status refreshed) {
    executor_->Post([ended, refreshed = std::move(refreshed)]() mutable { ended(refreshed); });
  });
}

void MilvusSink::OnCallEnded(const std::shared_ptr<Run>& run, size_t call, Status status) {
  --run->in_flight;
  if (run->calls[call].alone) LetNextAlone();
  run->succeeded[call] = status.ok();
  if (!status.ok() && status.error().kind == ErrorKind::kLimit) {
    status = OnTooLarge(run, call, status.error());
  }
  run->calls[call].request = {};
  // The first failure, but one that passes goes before one that does not: it may be of unknown
  // outcome, and is waited out before anything is repeated.
  const bool failed_for_good = !run->status.ok() && !run->status.error().IsRetry();
  if (!status.ok() && (run->status.ok() || (failed_for_good && status.error().IsRetry()))) {
    run->status = std::move(status);
  }
  const size_t before = run->applied();
  while (run->through < run->calls.size() && run->succeeded[run->through]) ++run->through;
  if (run->applied() > before && run->through < run->calls.size()) run->progress(run->applied());
  Continue(run);
}

void MilvusSink::Drain(const std::string& /*lane*/, Callback<Status> done) {
  awaiting_probe_.push_back(std::move(done));
  if (probe_ == nullptr) Probe();
}

// For all drains that wait: what was held up must not be taken for an answer to those that came
// later, so a probe serves only those that came before it began.
void MilvusSink::Probe() {
  auto opened = MilvusClient::Open(address_);
  if (!opened) {
    executor_->Post(
        alive_.Guard([waiting = std::exchange(awaiting_probe_, {}), error = opened.error()] {
          for (const Callback<Status>& done : waiting) done(error);
        }));
    return;
  }
  probed_for_ = std::exchange(awaiting_probe_, {});
  probe_ = *std::move(opened);
  auto probed = alive_.Guard([this](const Status& status) { OnProbed(status); });
  probe_->GetVersion([this, probed](const Result<std::string>& version) {
    executor_->Post([probed, status = version ? OkStatus() : Status(version.error())]() mutable {
      probed(status);
    });
  });
}

void MilvusSink::OnProbed(const Status& status) {
  probe_ = nullptr;
  auto answer = [waiting = std::exchange(probed_for_, {}), status] {
    for (const Callback<Status>& done : waiting) done(status);
  };
  if (!awaiting_probe_.empty()) Probe();
  if (!status) return answer();
  // A call may be held up on the way, or by a target that stands still. The answer shows that both
  // move again; what was held up moves with it, and has the settle time to be carried out.
  executor_->PostAfter(options_.settle, alive_.Guard(std::move(answer)));
}

}  // namespace cdc
