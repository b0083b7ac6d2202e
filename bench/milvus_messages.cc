#include "bench/milvus_messages.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/format.h"
#include "base/wire.h"

namespace cdc::bench {
namespace {

constexpr int kTickMillis = 200;
constexpr PartitionId kPartition = 1;
constexpr int64_t kSegment = 470'000'000'000'000'001;
constexpr uint64_t kFirstRowId = 470'000'000'000'000'002;
constexpr size_t kSpareFloats = 1 << 20;  // bytes from which every message takes another stretch

}  // namespace

size_t RowsPerMessage(size_t bytes) {
  return std::max<size_t>(1, bytes / kRowBytes);
}

std::string VchannelOf(const std::string& channel, size_t shard) {
  return Format("{}_{}v{}", channel, kCollection, shard);
}

std::string Nested(uint32_t field, const std::string& content) {
  WireWriter out;
  out.Bytes(field, content);
  return out.Take();
}

std::string Column(uint64_t type, const std::string& name, uint64_t id, const std::string& values) {
  WireWriter out;
  out.Varint(1, type);
  out.Bytes(2, name);
  out.Raw(values);
  out.Varint(5, id);
  return out.Take();
}

MilvusMessages::MilvusMessages(std::string channel, int64_t begin_ms, size_t bytes,
                               size_t per_second, Put put, size_t shard)
    : channel_(std::move(channel)),
      vchannel_(VchannelOf(channel_, shard)),
      begin_ms_(begin_ms),
      rows_(RowsPerMessage(bytes)),
      per_second_(per_second),
      put_(std::move(put)) {
  floats_.resize(kSpareFloats + rows_ * kDimension * sizeof(float));
  for (size_t i = 0; i + 8 <= floats_.size(); i += 8) {
    const uint64_t value = random_();
    floats_.replace(i, 8, reinterpret_cast<const char*>(&value), 8);
  }
  Tick();  // there is a log to read
}

Timestamp MilvusMessages::Write(size_t rows, const std::function<void(int64_t ms)>& before_each) {
  for (size_t written = 0; written < rows; written += rows_) {
    if (before_each) before_each(begin_ms_ + NextMillis());
    WriteOne();
  }
  return Finish();
}

int64_t MilvusMessages::NextMillis() const {
  return static_cast<int64_t>(messages_ * 1000 / per_second_);
}

void MilvusMessages::WriteOne() {
  ms_ = NextMillis();
  if (ms_ >= next_tick_ms_) Tick();
  put_(Insert());
}

Timestamp MilvusMessages::Finish() {
  ++ms_;
  Tick();
  return ComposeTimestamp(begin_ms_ + ms_);
}

Timestamp MilvusMessages::WriteInRealTime(size_t rows,
                                          const std::function<void()>& before_waiting) {
  const SystemClock clock;
  return Write(rows, [&](int64_t ms) {
    if (ms > clock.WallMillis() && before_waiting) before_waiting();
    while (ms > clock.WallMillis()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
}

std::string MilvusMessages::Hex(size_t digits) {
  std::string text(digits, '0');
  uint64_t value = 0;
  for (size_t i = 0; i < digits; ++i, value >>= 4) {
    if (i % 16 == 0) value = random_();
    text[i] = "0123456789abcdef"[value % 16];
  }
  return text;
}

// A common.MsgBase. Without rows there is neither an id nor a trace.
std::string MilvusMessages::Base(uint64_t type, Timestamp ts, uint64_t first_row_id) {
  WireWriter out;
  out.Varint(1, type);
  if (first_row_id != 0) out.Varint(2, first_row_id);
  out.Varint(3, ts);
  out.Varint(4, 1);
  if (first_row_id != 0) {
    WireWriter trace;
    trace.Bytes(1, "traceparent");
    trace.Bytes(2, "00-" + Hex(32) + "-" + Hex(16) + "-00");
    out.Bytes(6, trace.str());
  }
  return Nested(1, out.Take());
}

void MilvusMessages::Tick() {
  next_tick_ms_ = ms_ + kTickMillis;
  const Timestamp ts = ComposeTimestamp(begin_ms_ + ms_);
  put_(Base(1200, ts, 0));
  ticked_ = ts;
}

std::string MilvusMessages::Insert() {
  const Timestamp ts = ComposeTimestamp(begin_ms_ + ms_, messages_ % 1000 + 1);
  const uint64_t first = messages_ * rows_;
  WireWriter keys, row_ids;
  for (size_t i = 0; i < rows_; ++i) {
    keys.RawVarint(first + i);
    row_ids.RawVarint(kFirstRowId + first + i);
  }
  const size_t at = messages_ * 4099 % kSpareFloats;
  WireWriter vector;
  vector.Varint(1, kDimension);
  vector.Bytes(2, Nested(1, floats_.substr(at, rows_ * kDimension * sizeof(float))));
  WireWriter out;
  out.Raw(Base(400, ts, kFirstRowId + first));
  out.Bytes(2, vchannel_);
  out.Bytes(4, "rows");
  out.Bytes(5, "_default");
  out.Varint(7, kCollection);
  out.Varint(8, kPartition);
  out.Varint(9, kSegment);
  out.PackedRepeat(10, ts, rows_);
  out.Bytes(11, row_ids.str());
  out.Bytes(13, Column(5, "id", 100, Nested(3, Nested(3, Nested(1, keys.str())))));
  out.Bytes(13, Column(101, "vector", 101, Nested(4, vector.Take())));
  out.Varint(14, rows_);
  out.Varint(15, 1);
  ++messages_;
  return out.Take();
}

}  // namespace cdc::bench
