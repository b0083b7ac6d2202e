// Writes a RocksMQ, as Milvus lays it out: the sources of the benches. One thread; blocks; ends the
// process with a message when RocksDB refuses.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace rocksdb {
class DB;
}

namespace cdc::bench {

class RocksmqWriter {
 public:
  // `channel` is where Put writes that names none.
  explicit RocksmqWriter(const std::string& path, std::string channel = {});
  ~RocksmqWriter();
  void Put(const std::string& payload) { Put(channel_, payload); }
  void Put(const std::string& channel, const std::string& payload);
  void Flush();
  uint64_t puts() const { return puts_; }

 private:
  const std::string channel_;
  std::unique_ptr<rocksdb::DB> db_;
  uint64_t puts_ = 0;
};

}  // namespace cdc::bench
