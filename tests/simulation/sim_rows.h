// The payload of simulated messages: which rows an Insert or Delete carries.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace cdc::sim {

struct Row {
  int64_t key = 0;
  uint64_t uid = 0;  // identity of the row's content; 0 in deletes
};

struct Rows {
  uint64_t seq = 0;  // number of the message in SimSource::messages()
  std::vector<Row> rows;
};

inline std::string EncodeRows(const Rows& rows, size_t padding) {
  std::vector<uint64_t> words = {rows.seq, rows.rows.size()};
  for (const Row& row : rows.rows) {
    words.push_back(static_cast<uint64_t>(row.key));
    words.push_back(row.uid);
  }
  std::string out(words.size() * 8 + padding, 'x');
  std::memcpy(out.data(), words.data(), words.size() * 8);
  return out;
}

inline Rows DecodeRows(std::string_view bytes) {
  const auto word = [&](size_t i) {
    uint64_t value = 0;
    std::memcpy(&value, bytes.data() + i * 8, 8);
    return value;
  };
  Rows rows{word(0), {}};
  rows.rows.resize(word(1));
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    rows.rows[i] = {static_cast<int64_t>(word(2 + 2 * i)), word(3 + 2 * i)};
  }
  return rows;
}

// The shard that Milvus' hash would choose; any fixed function does.
inline int ShardOf(int64_t key, size_t shards) {
  return static_cast<int>((static_cast<uint64_t>(key) * 2654435761u >> 7) % shards);
}

}  // namespace cdc::sim
