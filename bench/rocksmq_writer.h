// Writes a RocksMQ, as Milvus lays it out: the sources of the benches. One thread; blocks; ends the
// process with a message when RocksDB refuses.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace rocksdb {
class DB;
class WriteBatch;
}  // namespace rocksdb

namespace cdc::bench {

class RocksmqWriter {
 public:
  // `channel` is where Put writes that names none.
  explicit RocksmqWriter(const std::string& path, std::string channel = {});
  ~RocksmqWriter();
  void Put(const std::string& payload) { Put(channel_, payload); }
  void Put(const std::string& channel, const std::string& payload);
  // Into the store's next write, which is made by Commit() or with its 64th message: a Milvus under
  // load writes many at once, too.
  void Add(const std::string& payload);
  void Commit();
  // What was put is in a file.
  void Flush();
  uint64_t puts() const { return puts_; }

 private:
  std::string NextKey(const std::string& channel);

  const std::string channel_;
  std::unique_ptr<rocksdb::DB> db_;
  const std::unique_ptr<rocksdb::WriteBatch> added_;
  uint64_t puts_ = 0;
};

}  // namespace cdc::bench
