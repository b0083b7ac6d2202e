#include "bench/rocksmq_writer.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace cdc::bench {
namespace {

constexpr uint64_t kFirstId = 470'000'000'000'000'000;
constexpr uint32_t kAtOnce = 64;

void Check(const rocksdb::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

}  // namespace

RocksmqWriter::RocksmqWriter(const std::string& path, std::string channel)
    : channel_(std::move(channel)), added_(std::make_unique<rocksdb::WriteBatch>()) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* db = nullptr;
  Check(rocksdb::DB::Open(options, path, &db));
  db_.reset(db);
}

RocksmqWriter::~RocksmqWriter() = default;

std::string RocksmqWriter::NextKey(const std::string& channel) {
  return channel + "/" + std::to_string(kFirstId + ++puts_);
}

void RocksmqWriter::Put(const std::string& channel, const std::string& payload) {
  Check(db_->Put({}, NextKey(channel), payload));
}

void RocksmqWriter::Add(const std::string& payload) {
  Check(added_->Put(NextKey(channel_), payload));
  if (added_->Count() >= kAtOnce) Commit();
}

void RocksmqWriter::Commit() {
  if (added_->Count() == 0) return;
  Check(db_->Write({}, added_.get()));
  added_->Clear();
}

void RocksmqWriter::Flush() {
  Check(db_->Flush({}));
}

}  // namespace cdc::bench
