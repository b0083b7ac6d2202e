#include "source/log_source.h"

#include <optional>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "client/milvus/message_codec.h"

namespace cdc {
namespace {

constexpr size_t kOperationBytes = 1 << 20;

// What one read of the raw log became: messages, and what stopped them.
template <typename T>
struct Decoded {
  std::vector<T> items;
  std::optional<Error> error;
};

Decoded<Change> DecodeChanges(const std::string& channel, Result<std::vector<RawEntry>> entries) {
  Decoded<Change> decoded;
  if (!entries.ok()) {
    decoded.error = entries.error();
    return decoded;
  }
  decoded.items.reserve(entries->size());
  for (RawEntry& entry : *entries) {
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
    Result<Operation> operation = entry.streaming ? StreamingFormatError(entry.id)
                                                  : DecodeOperation(entry.id, *entry.payload);
    if (operation.ok()) {
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

// Brings what `decode` makes of a raw read to the executor. Lives on the executor.
template <typename T>
class DecodingReader {
 public:
  using Done = Callback<Result<std::vector<T>>>;
  using Decode = Decoded<T> (*)(const std::string&, Result<std::vector<RawEntry>>);

  DecodingReader(std::shared_ptr<RawLog> log, std::string channel, LogPosition from,
                 Executor* executor, Decode decode)
      : log_(std::move(log)),
        channel_(std::move(channel)),
        executor_(executor),
        decode_(decode),
        tail_(log_->Open(channel_, from)) {}

  void Read(size_t max_bytes, Done done) {
    if (broken_) {
      executor_->Post(alive_.Guard([error = *broken_, done = std::move(done)] { done(error); }));
      return;
    }
    auto deliver = alive_.Guard([this, done = std::move(done)](Decoded<T> decoded) {
      if (!decoded.error) return done(std::move(decoded.items));
      const Error error = *std::move(decoded.error);
      if (error.disposition == Disposition::kCorrupt) broken_ = error;
      if (decoded.items.empty()) return done(error);
      done(std::move(decoded.items));
    });
    tail_->Read(max_bytes, [executor = executor_, channel = channel_, decode = decode_,
                            deliver](Result<std::vector<RawEntry>> entries) {
      auto decoded = std::make_shared<Decoded<T>>(decode(channel, std::move(entries)));
      executor->Post([deliver, decoded]() mutable { deliver(std::move(*decoded)); });
    });
  }

 private:
  const std::shared_ptr<RawLog> log_;  // outlives tail_
  const std::string channel_;
  Executor* const executor_;
  const Decode decode_;
  const std::unique_ptr<RawTail> tail_;
  std::optional<Error> broken_;
  Alive alive_;
};

class ChangeReader final : public LogReader {
 public:
  ChangeReader(std::shared_ptr<RawLog> log, const std::string& channel, LogPosition from,
               Executor* executor)
      : reader_(std::move(log), channel, from, executor, DecodeChanges) {}
  void Read(size_t max_bytes, Callback<Result<std::vector<Change>>> done) override {
    reader_.Read(max_bytes, std::move(done));
  }

 private:
  DecodingReader<Change> reader_;
};

class DecodingOperationReader final : public OperationReader {
 public:
  DecodingOperationReader(std::shared_ptr<RawLog> log, const std::string& topic, LogPosition from,
                          Executor* executor)
      : reader_(std::move(log), topic, from, executor, DecodeOperations) {}
  void Read(Callback<Result<std::vector<Operation>>> done) override {
    reader_.Read(kOperationBytes, std::move(done));
  }

 private:
  DecodingReader<Operation> reader_;
};

using LatestResult = Result<std::map<std::string, LogPosition>>;

class DecodingLogSource final : public LogSource {
 public:
  DecodingLogSource(std::shared_ptr<RawLog> log, Executor* executor)
      : log_(std::move(log)), executor_(executor) {}

  std::unique_ptr<LogReader> Open(const std::string& channel, LogPosition from) override {
    return std::make_unique<ChangeReader>(log_, channel, from, executor_);
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
  Alive alive_;
};

class DecodingOperationSource final : public OperationSource {
 public:
  DecodingOperationSource(std::shared_ptr<RawLog> log, std::string topic, Executor* executor)
      : log_(std::move(log)), topic_(std::move(topic)), executor_(executor) {}

  std::unique_ptr<OperationReader> Open(LogPosition from) override {
    return std::make_unique<DecodingOperationReader>(log_, topic_, from, executor_);
  }

 private:
  const std::shared_ptr<RawLog> log_;
  const std::string topic_;
  Executor* const executor_;
};

}  // namespace

std::unique_ptr<LogSource> MakeLogSource(std::shared_ptr<RawLog> log, Executor* executor) {
  return std::make_unique<DecodingLogSource>(std::move(log), executor);
}

std::unique_ptr<OperationSource> MakeOperationSource(std::shared_ptr<RawLog> log, std::string topic,
                                                     Executor* executor) {
  return std::make_unique<DecodingOperationSource>(std::move(log), std::move(topic), executor);
}

}  // namespace cdc
