// Single rows at a steady rate into a real Milvus, from a client that hardly costs anything beside
// the servers. bench/steady.py runs it; it prints the acknowledgement of each row:
//
//   insert_bench --host H --port P --collection C --rate ROWS_PER_SECOND --seconds S
//
// "<monotonic nanoseconds> <Milvus timestamp>" per line. Columns: id, n, vector of 128 floats.
#include <CLI/CLI.hpp>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

#include "base/wire.h"
#include "bench/milvus_messages.h"
#include "client/milvus/milvus_client_channel.h"

namespace cdc::bench {
namespace {

// milvus.InsertRequest: 1 base {1 type}, 3 collection, 5 columns, 7 rows.
std::string Request(const std::string& collection, uint64_t key) {
  std::string floats(kDimension * sizeof(float), '\0');
  for (size_t i = 0; i < kDimension; ++i) {
    const float value = static_cast<float>((key * 31 + i * 17) % 1000) / 1000;
    std::memcpy(&floats[i * sizeof value], &value, sizeof value);
  }
  WireWriter number, vector;
  number.RawVarint(key);
  vector.Varint(1, kDimension);
  vector.Bytes(2, Nested(1, floats));
  const std::string scalar = Nested(3, Nested(3, Nested(1, number.str())));
  WireWriter base, request;
  base.Varint(1, 400);
  request.Bytes(1, base.str());
  request.Bytes(3, collection);
  request.Bytes(5, Column(5, "id", 0, scalar));
  request.Bytes(5, Column(5, "n", 0, scalar));
  request.Bytes(5, Column(101, "vector", 0, Nested(4, vector.str())));
  request.Varint(7, 1);
  return request.Take();
}

struct Acknowledged {
  int64_t at = 0;
  uint64_t ts = 0;
};

// milvus.MutationResult: 1 status {1, 3 codes}, 9 timestamp. False: refused.
bool Read(const std::string& answer, uint64_t* ts) {
  WireReader reader(answer);
  while (reader.Next()) {
    if (reader.Is(9, WireType::kVarint)) *ts = reader.number();
    if (!reader.Is(1, WireType::kBytes)) continue;
    WireReader status(reader.bytes());
    while (status.Next()) {
      if ((status.field() == 1 || status.field() == 3) && status.number() != 0) return false;
    }
  }
  return reader.ok() && *ts != 0;
}

int Run(const TargetAddress& address, const std::string& collection, int rate, int seconds) {
  auto channel = MilvusChannel::Open(address);
  if (!channel.ok()) return 1;
  std::mutex mutex;
  std::condition_variable all;
  std::vector<Acknowledged> acknowledged;
  size_t failed = 0;
  const size_t rows = static_cast<size_t>(rate) * static_cast<size_t>(seconds);
  acknowledged.reserve(rows);
  const auto begin = std::chrono::steady_clock::now();
  for (size_t row = 0; row < rows; ++row) {
    std::this_thread::sleep_until(begin + std::chrono::nanoseconds(1'000'000'000 / rate) * row);
    Slices request;
    request.Append(Request(collection, row + 1));
    (*channel)->Call("Insert", MilvusCallClass::kWrite, request, "", std::chrono::seconds(60),
                     [&](Result<std::string> answer) {
                       const auto now = std::chrono::steady_clock::now().time_since_epoch();
                       uint64_t ts = 0;
                       const bool good = answer.ok() && Read(*answer, &ts);
                       const std::lock_guard lock(mutex);
                       if (good) {
                         acknowledged.push_back({now.count(), ts});
                       } else {
                         ++failed;
                       }
                       if (acknowledged.size() + failed == rows) all.notify_all();
                     });
  }
  {
    std::unique_lock lock(mutex);
    all.wait(lock, [&] { return acknowledged.size() + failed == rows; });
  }
  (*channel)->Close();
  if (failed > 0) std::fprintf(stderr, "%zu inserts failed\n", failed);
  for (const Acknowledged& one : acknowledged) std::printf("%ld %lu\n", one.at, one.ts);
  return failed > 0 ? 1 : 0;
}

}  // namespace
}  // namespace cdc::bench

int main(int count, char** values) {
  cdc::TargetAddress address;
  std::string collection;
  int rate = 2000;
  int seconds = 60;
  CLI::App app("single rows at a steady rate");
  app.add_option("--host", address.host)->required();
  app.add_option("--port", address.port)->required();
  app.add_option("--collection", collection)->required();
  app.add_option("--rate", rate);
  app.add_option("--seconds", seconds);
  CLI11_PARSE(app, count, values);
  return cdc::bench::Run(address, collection, rate, seconds);
}
