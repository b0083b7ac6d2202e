#include "bench/bare_readers.h"

#include <librdkafka/rdkafka.h>
#include <rocksdb/db.h>

#include <array>
#include <memory>

#include "base/clock.h"

namespace cdc::bench {
namespace {

double Since(TimePoint begin) {
  return std::chrono::duration<double>(SystemClock().Now() - begin).count();
}

}  // namespace

Result<BareCount> DrainKafka(const std::string& brokers, const std::string& topic, uint64_t count) {
  const TimePoint begin = SystemClock().Now();
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::array<char, 512> why{};
  for (const auto& [key, value] :
       {std::pair<const char*, const char*>{"bootstrap.servers", brokers.c_str()},
        {"queued.min.messages", "10000000"},
        {"queued.max.messages.kbytes", "2097151"}}) {
    rd_kafka_conf_set(conf, key, value, why.data(), why.size());
  }
  rd_kafka_t* handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why.data(), why.size());
  if (handle == nullptr) return FatalError(why.data());
  rd_kafka_topic_t* opened = rd_kafka_topic_new(handle, topic.c_str(), nullptr);
  rd_kafka_queue_t* queue = rd_kafka_queue_new(handle);
  rd_kafka_consume_start_queue(opened, 0, RD_KAFKA_OFFSET_BEGINNING, queue);
  BareCount read;
  std::array<rd_kafka_message_t*, 256> messages;
  while (read.messages < count) {
    const ssize_t got = rd_kafka_consume_batch_queue(queue, 1000, messages.data(), 1);
    for (ssize_t i = 0; i < got; ++i) {
      if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        ++read.messages;
        read.bytes += messages[i]->len;
      }
      rd_kafka_message_destroy(messages[i]);
    }
  }
  read.seconds = Since(begin);
  rd_kafka_consume_stop(opened, 0);
  rd_kafka_queue_destroy(queue);
  rd_kafka_topic_destroy(opened);
  rd_kafka_destroy(handle);
  return read;
}

Result<BareCount> DrainRocksmq(const std::string& path, const std::string& topic) {
  const TimePoint begin = SystemClock().Now();
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = rocksdb::DB::OpenForReadOnly({}, path, &db);
  if (!opened.ok()) return FatalError(opened.ToString());
  const std::unique_ptr<rocksdb::DB> owned(db);
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}));
  BareCount read;
  for (it->Seek(topic + "/"); it->Valid() && it->key().starts_with(topic + "/"); it->Next()) {
    const std::string message = it->value().ToString();
    ++read.messages;
    read.bytes += message.size();
  }
  read.seconds = Since(begin);
  return read;
}

}  // namespace cdc::bench
