#include "bench/rocksmq_writer.h"

#include <rocksdb/db.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/format.h"

namespace cdc::bench {
namespace {

constexpr uint64_t kFirstId = 470'000'000'000'000'000;

void Check(const rocksdb::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

}  // namespace

RocksmqWriter::RocksmqWriter(const std::string& path, std::string channel)
    : channel_(std::move(channel)) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* db = nullptr;
  Check(rocksdb::DB::Open(options, path, &db));
  db_.reset(db);
}

RocksmqWriter::~RocksmqWriter() = default;

void RocksmqWriter::Put(const std::string& channel, const std::string& payload) {
  Check(db_->Put({}, Format("{}/{}", channel, kFirstId + ++puts_), payload));
}

void RocksmqWriter::Flush() {
  Check(db_->Flush({}));
}

}  // namespace cdc::bench
