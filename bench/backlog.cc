#include "bench/backlog.h"

#include <algorithm>
#include <fstream>

#include "base/clock.h"
#include "bench/milvus_messages.h"
#include "bench/rocksmq_writer.h"

namespace cdc::bench {
namespace {

constexpr int64_t kAgeMs = 600'000;

}  // namespace

void WriteBacklog(const std::string& folder, const std::string& channel, size_t rows,
                  size_t bytes) {
  RocksmqWriter store(RocksmqOf(folder), channel);
  std::ofstream file(folder + "/messages", std::ios::binary);
  const auto put = [&](const std::string& payload) {
    const auto size = static_cast<uint32_t>(payload.size());
    file.write(reinterpret_cast<const char*>(&size), sizeof(size));
    file.write(payload.data(), size);
    store.Put(payload);
  };
  const int64_t begin_ms = SystemClock().WallMillis() - kAgeMs;
  const size_t rate = std::min<size_t>(20'000, 100'000'000 / bytes);
  const Timestamp end = MilvusMessages(channel, begin_ms, bytes, rate, put).Write(rows);
  store.Flush();
  std::ofstream(folder + "/times")
      << ComposeTimestamp(begin_ms) << " " << end << " " << store.puts() << "\n";
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
