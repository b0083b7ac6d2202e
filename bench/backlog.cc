#include "bench/backlog.h"

#include <algorithm>
#include <fstream>
#include <memory>

#include "base/clock.h"
#include "base/format.h"
#include "bench/milvus_messages.h"
#include "bench/rocksmq_writer.h"

namespace cdc::bench {
namespace {

constexpr int64_t kAgeMs = 600'000;

void Append(std::ofstream& file, const std::string& payload) {
  const auto size = static_cast<uint32_t>(payload.size());
  file.write(reinterpret_cast<const char*>(&size), sizeof(size));
  file.write(payload.data(), size);
}

void WriteTimes(const std::string& folder, int64_t begin_ms, Timestamp end, uint64_t messages) {
  std::ofstream(folder + "/times")
      << ComposeTimestamp(begin_ms) << " " << end << " " << messages << "\n";
}

}  // namespace

void WriteBacklog(const std::string& folder, const std::string& channel, size_t rows,
                  size_t bytes) {
  RocksmqWriter store(RocksmqOf(folder), channel);
  std::ofstream file(folder + "/messages", std::ios::binary);
  const auto put = [&](const std::string& payload) {
    Append(file, payload);
    store.Put(payload);
  };
  const int64_t begin_ms = SystemClock().WallMillis() - kAgeMs;
  const size_t rate = std::min<size_t>(20'000, 100'000'000 / bytes);
  const Timestamp end = MilvusMessages(channel, begin_ms, bytes, rate, put).Write(rows);
  store.Flush();
  WriteTimes(folder, begin_ms, end, store.puts());
}

void WriteBacklogs(const std::string& folder, const std::vector<std::string>& channels, size_t rows,
                   size_t bytes, bool brokers) {
  RocksmqWriter store(RocksmqOf(folder));
  const int64_t begin_ms = SystemClock().WallMillis() - kAgeMs;
  const size_t rate =
      std::max<size_t>(1, std::min<size_t>(20'000, 100'000'000 / bytes) / channels.size());
  std::vector<std::ofstream> files(brokers ? channels.size() : 0);
  std::vector<std::unique_ptr<MilvusMessages>> writers;
  for (size_t i = 0; i < channels.size(); ++i) {
    if (brokers) files[i].open(Format("{}/messages.{}", folder, i), std::ios::binary);
    const auto put = [&, i](const std::string& payload) {
      if (brokers) Append(files[i], payload);
      store.Put(channels[i], payload);
    };
    writers.push_back(std::make_unique<MilvusMessages>(channels[i], begin_ms, bytes, rate, put, i));
  }
  for (size_t written = 0; written < rows;) {
    for (const auto& writer : writers) {
      writer->WriteOne();
      written += writer->rows_per_message();
    }
  }
  Timestamp end = 0;
  for (const auto& writer : writers) end = writer->Finish();
  store.Flush();
  WriteTimes(folder, begin_ms, end, store.puts());
}

Backlog OpenBacklog(const std::string& folder) {
  Backlog backlog;
  std::ifstream(folder + "/times") >> backlog.begin >> backlog.end >> backlog.messages;
  return backlog;
}

std::string RocksmqOf(const std::string& folder) {
  return folder + "/rocksmq";
}

}  // namespace cdc::bench
