// Messages as a Milvus 2.3.5 writes them into one channel: rows of 128 floats, a tick every 200 ms
// of the source's time. Made up field by field after those that a real one wrote
// (tests/golden/messages); the test compares them.
#pragma once

#include <atomic>
#include <functional>
#include <random>
#include <string>

#include "model/ids.h"
#include "model/timestamp.h"

namespace cdc::bench {

inline constexpr CollectionId kCollection = 100;
std::string VchannelOf(const std::string& channel, size_t shard);
inline constexpr size_t kDimension = 128;
inline constexpr size_t kRowBytes = kDimension * sizeof(float) + 16;

// Of messages of about `bytes` each.
size_t RowsPerMessage(size_t bytes);
// A length-delimited field of a protobuf message.
std::string Nested(uint32_t field, const std::string& content);
// A schema.FieldData: `values` is its field 3 (scalars) or 4 (vectors).
std::string Column(uint64_t type, const std::string& name, uint64_t id, const std::string& values);

class MilvusMessages {
 public:
  // Takes each message in the order of the log.
  using Put = std::function<void(const std::string& payload)>;

  // Messages of about `bytes` each; `per_second` of the source's time, which begins at `begin_ms`.
  // The channel is the collection's `shard`.
  MilvusMessages(std::string channel, int64_t begin_ms, size_t bytes, size_t per_second, Put put,
                 size_t shard = 0);

  // At least `rows` rows, and a last tick. `before_each` is called with the time of the message
  // that comes next. Returns the time of the last tick.
  Timestamp Write(size_t rows, const std::function<void(int64_t ms)>& before_each = {});
  // The same, each message in its time: blocks until the last one is written. `before_waiting` is
  // called each time that it is early.
  Timestamp WriteInRealTime(size_t rows, const std::function<void()>& before_waiting = {});
  // One message of rows, and before it the tick that is due; Finish() writes the last tick.
  void WriteOne();
  Timestamp Finish();
  size_t rows_per_message() const { return rows_; }
  // The newest tick in the log. Any thread.
  Timestamp ticked() const { return ticked_; }

 private:
  int64_t NextMillis() const;
  void Tick();
  std::string Insert();
  std::string Hex(size_t digits);
  std::string Base(uint64_t type, Timestamp ts, uint64_t first_row_id);

  const std::string channel_;
  const std::string vchannel_;
  const int64_t begin_ms_;
  const size_t rows_;
  const size_t per_second_;
  const Put put_;
  std::mt19937_64 random_{1};
  std::string floats_;  // random, so that nothing compresses them
  size_t messages_ = 0;
  int64_t ms_ = 0;
  int64_t next_tick_ms_ = 0;
  std::atomic<Timestamp> ticked_ = 0;
};

}  // namespace cdc::bench
