#include "source/log_source.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <iterator>
#include <mutex>
#include <optional>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "client/milvus/message_codec.h"

namespace cdc {
namespace {

constexpr size_t kOperationBytes = 1 << 20;

// What one read of the raw log became: messages, and what stopped them; never neither.
template <typename T>
struct Decoded {
  std::vector<T> items;
  std::optional<Error> error;
  size_t bytes = 0;  // held by the items
};

Decoded<Change> DecodeChanges(const std::string& channel, Result<std::vector<RawEntry>> entries) {
  Decoded<Change> decoded;
  if (!entries.ok()) {
    decoded.error = entries.error();
    return decoded;
  }
  decoded.items.reserve(entries->size());
  for (RawEntry& entry : *entries) {
    decoded.bytes += sizeof(Change) + entry.payload.bytes.size();
    Result<Change> change = entry.streaming ? StreamingFormatError(entry.id)
                                            : DecodeMessage(entry.id, std::move(entry.payload));
    if (!change.ok()) {
      decoded.error = change.error().Prefixed("channel " + channel);
      return decoded;
    }
    decoded.items.push_back(*std::move(change));
  }
  return decoded;
}

Decoded<Operation> DecodeOperations(const std::string& topic,
                                    Result<std::vector<RawEntry>> entries) {
  Decoded<Operation> decoded;
  if (!entries.ok()) {
    decoded.error = entries.error();
    return decoded;
  }
  for (const RawEntry& entry : *entries) {
    decoded.bytes += sizeof(Operation) + entry.payload.bytes.size();
    Result<Operation> operation = entry.streaming ? StreamingFormatError(entry.id)
                                                  : DecodeOperation(entry.id, entry.payload.bytes);
    if (operation.ok()) {
      if (!IsKnownOperation(operation->msg_type)) {
        LogWarn(
            "topic {}: message {} is an operation of type {}, which is not known here and not "
            "replicated",
            topic, ToString(entry.id), operation->msg_type);
      }
      decoded.items.push_back(*std::move(operation));
      continue;
    }
    LogWarn("topic {}: {}", topic, operation.error().message);
    Operation unreadable;
    unreadable.id = entry.id;
    decoded.items.push_back(std::move(unreadable));
  }
  return decoded;
}

// What a reader on the executor and the log's thread share. The log's thread reads on while the
// executor works, three eighths of what is wanted at a time, until three such pieces lie ready. To
// wake up a thread costs as much as to read 200 KiB, so neither waits for the other without need,
// and the executor is woken up for two pieces if they are at hand.
template <typename T>
class ReadAhead : public std::enable_shared_from_this<ReadAhead<T>> {
 public:
  using Decode = Decoded<T> (*)(const std::string&, Result<std::vector<RawEntry>>);

  ReadAhead(std::string channel, Decode decode, std::unique_ptr<RawTail> tail,
            std::shared_ptr<ReadBudget> budget)
      : channel_(std::move(channel)),
        decode_(decode),
        budget_(std::move(budget)),
        tail_(std::move(tail)) {}

  // A piece of what lies ready. If there is none, `arrived` is called on the log's thread when it
  // is worth asking again.
  std::optional<Decoded<T>> Take(size_t max_bytes, std::function<void()> arrived) {
    const std::lock_guard lock(mutex_);
    piece_bytes_ = std::max<size_t>(max_bytes * 3 / 8, 1);
    std::optional<Decoded<T>> taken;
    if (ready_.empty()) {
      arrived_ = std::move(arrived);
    } else {
      taken = std::move(ready_.front());
      ready_.pop_front();
      ready_bytes_ -= taken->bytes;
      budget_->Remove(taken->bytes);
    }
    // After an error the reader's user decides when to try again.
    if (!taken || !taken->error) ReadMore();
    return taken;
  }

  // No `arrived` is called any more when it returns.
  void Stop() {
    std::unique_ptr<RawTail> tail;
    {
      const std::lock_guard lock(mutex_);
      tail.swap(tail_);
      arrived_ = nullptr;
      budget_->Remove(std::exchange(ready_bytes_, 0));
      ready_.clear();
    }
    for (int calls = calls_; calls != 0; calls = calls_) calls_.wait(calls);
  }

 private:
  void ReadMore() {
    if (reading_ || !tail_) return;
    const bool any = !ready_.empty();
    if (any && (ready_.back().error || ready_bytes_ >= 3 * piece_bytes_)) return;
    if (any && !budget_->HasRoom(piece_bytes_)) return;
    reading_ = true;
    tail_->Read(piece_bytes_,
                [self = this->shared_from_this()](Result<std::vector<RawEntry>> entries) {
                  self->Arrive(self->decode_(self->channel_, std::move(entries)));
                });
  }

  void Arrive(Decoded<T> read) {
    const std::function<void()> arrived = Put(std::move(read));
    if (!arrived) return;
    // Not under the mutex: who is woken up wants it at once, often on this thread's processor.
    arrived();
    --calls_;
    calls_.notify_all();
  }

  // What is to be called, and counted, now that it lies ready.
  std::function<void()> Put(Decoded<T> read) {
    const std::lock_guard lock(mutex_);
    reading_ = false;
    if (!tail_) return nullptr;
    budget_->Add(read.bytes);
    ready_bytes_ += read.bytes;
    if (!ready_.empty() && ready_.back().bytes + read.bytes <= piece_bytes_) {
      Decoded<T>& last = ready_.back();
      last.items.insert(last.items.end(), std::make_move_iterator(read.items.begin()),
                        std::make_move_iterator(read.items.end()));
      last.error = std::move(read.error);
      last.bytes += read.bytes;
    } else {
      ready_.push_back(std::move(read));
    }
    const bool more = ready_bytes_ < 2 * piece_bytes_ && tail_->HasMore();
    ReadMore();
    if ((more && reading_) || !arrived_) return nullptr;
    ++calls_;
    return std::exchange(arrived_, nullptr);
  }

  const std::string channel_;
  const Decode decode_;
  const std::shared_ptr<ReadBudget> budget_;
  std::mutex mutex_;
  std::unique_ptr<RawTail> tail_;  // nullptr: stopped
  bool reading_ = false;
  size_t piece_bytes_ = 1;
  std::deque<Decoded<T>> ready_;  // an error only in the last one
  size_t ready_bytes_ = 0;
  std::function<void()> arrived_;
  std::atomic<int> calls_ = 0;  // of `arrived_` in progress
};

// Brings what `decode` makes of raw reads to the executor. Lives there.
template <typename T>
class DecodingReader {
 public:
  using Done = Callback<Result<std::vector<T>>>;

  DecodingReader(std::shared_ptr<RawLog> log, std::string channel, LogPosition from,
                 Executor* executor, std::shared_ptr<ReadBudget> budget,
                 typename ReadAhead<T>::Decode decode)
      : log_(std::move(log)), executor_(executor) {
    auto tail = log_->Open(channel, from);
    ahead_ = std::make_shared<ReadAhead<T>>(std::move(channel), decode, std::move(tail),
                                            std::move(budget));
  }
  ~DecodingReader() { ahead_->Stop(); }

  void Read(size_t max_bytes, Done done) {
    done_ = std::move(done);
    max_bytes_ = max_bytes;
    executor_->Post(alive_.Guard([this] { Look(); }));
  }

 private:
  void Look() {
    if (error_) return FinishWithError();
    std::optional<Decoded<T>> read = ahead_->Take(
        max_bytes_,
        [executor = executor_, look = alive_.Guard([this] { Look(); })] { executor->Post(look); });
    if (!read) return;
    // What stopped the reading comes after what was read before it.
    error_ = std::move(read->error);
    if (!read->items.empty()) return Finish(std::move(read->items));
    FinishWithError();
  }
  void FinishWithError() {
    const Error error = *error_;
    if (error.disposition != Disposition::kCorrupt) error_.reset();
    Finish(error);
  }
  void Finish(Result<std::vector<T>> result) { std::exchange(done_, nullptr)(std::move(result)); }

  const std::shared_ptr<RawLog> log_;  // outlives the tail
  Executor* const executor_;
  std::shared_ptr<ReadAhead<T>> ahead_;
  size_t max_bytes_ = 0;
  Done done_;                   // of the Read in progress
  std::optional<Error> error_;  // to be told; a corrupt message stays so
  Alive alive_;
};

class ChangeReader final : public LogReader {
 public:
  ChangeReader(std::shared_ptr<RawLog> log, const std::string& channel, LogPosition from,
               Executor* executor, std::shared_ptr<ReadBudget> budget)
      : reader_(std::move(log), channel, from, executor, std::move(budget), DecodeChanges) {}
  void Read(size_t max_bytes, Callback<Result<std::vector<Change>>> done) override {
    reader_.Read(max_bytes, std::move(done));
  }

 private:
  DecodingReader<Change> reader_;
};

class DecodingOperationReader final : public OperationReader {
 public:
  DecodingOperationReader(std::shared_ptr<RawLog> log, const std::string& topic, LogPosition from,
                          Executor* executor, std::shared_ptr<ReadBudget> budget)
      : reader_(std::move(log), topic, from, executor, std::move(budget), DecodeOperations) {}
  void Read(Callback<Result<std::vector<Operation>>> done) override {
    reader_.Read(kOperationBytes, std::move(done));
  }

 private:
  DecodingReader<Operation> reader_;
};

using LatestResult = Result<std::map<std::string, LogPosition>>;

class DecodingLogSource final : public LogSource {
 public:
  DecodingLogSource(std::shared_ptr<RawLog> log, Executor* executor,
                    std::shared_ptr<ReadBudget> budget)
      : log_(std::move(log)), executor_(executor), budget_(std::move(budget)) {}

  std::unique_ptr<LogReader> Open(const std::string& channel, LogPosition from) override {
    return std::make_unique<ChangeReader>(log_, channel, from, executor_, budget_);
  }
  void Latest(std::vector<std::string> channels, Callback<LatestResult> done) override {
    auto deliver = alive_.Guard(std::move(done));
    log_->Latest(std::move(channels), [executor = executor_, deliver](LatestResult result) {
      executor->Post(
          [deliver, result = std::move(result)]() mutable { deliver(std::move(result)); });
    });
  }
  Result<LogId> DecodeId(const std::string& bytes) const override { return log_->DecodeId(bytes); }

 private:
  const std::shared_ptr<RawLog> log_;
  Executor* const executor_;
  const std::shared_ptr<ReadBudget> budget_;
  Alive alive_;
};

class DecodingOperationSource final : public OperationSource {
 public:
  DecodingOperationSource(std::shared_ptr<RawLog> log, std::string topic, Executor* executor,
                          std::shared_ptr<ReadBudget> budget)
      : log_(std::move(log)),
        topic_(std::move(topic)),
        executor_(executor),
        budget_(std::move(budget)) {}

  std::unique_ptr<OperationReader> Open(LogPosition from) override {
    return std::make_unique<DecodingOperationReader>(log_, topic_, from, executor_, budget_);
  }

 private:
  const std::shared_ptr<RawLog> log_;
  const std::string topic_;
  Executor* const executor_;
  const std::shared_ptr<ReadBudget> budget_;
};

}  // namespace

std::unique_ptr<LogSource> MakeLogSource(std::shared_ptr<RawLog> log, Executor* executor,
                                         std::shared_ptr<ReadBudget> budget) {
  return std::make_unique<DecodingLogSource>(std::move(log), executor, std::move(budget));
}

std::unique_ptr<OperationSource> MakeOperationSource(std::shared_ptr<RawLog> log, std::string topic,
                                                     Executor* executor,
                                                     std::shared_ptr<ReadBudget> budget) {
  return std::make_unique<DecodingOperationSource>(std::move(log), std::move(topic), executor,
                                                   std::move(budget));
}

}  // namespace cdc
