// Message ids as etcd holds them, of Kafka, RocksMQ and Pulsar, and positions as the store does.
#include "client/milvus/message_codec.h"
#include "client/pulsar/pulsar_id.h"
#include "fuzz_check.h"

namespace cdc::fuzz {
namespace {

void Run(const std::string& bytes) {
  const MemoryBudget budget(bytes.size());
  const Result<LogId> id = DecodeNumericId(bytes);
  Require(id.ok() == (bytes.size() == 8), "eight bytes are a message id");
  if (id.ok()) {
    std::string back;
    for (int i = 0; i < 8; ++i) back.push_back(static_cast<char>(id->minor >> (8 * i)));
    Require(back == bytes && id->major == 0, "a message id is the number that stands there");
    Require(*ParseLogId(ToString(*id)) == *id, "a log id reads back as it was written");
  }
  if (const Result<PulsarMessageId> pulsar = DecodePulsarMessageId(bytes); !pulsar.ok()) {
    Require(pulsar.error().disposition == Disposition::kCorrupt, "a wrong id of Pulsar is corrupt");
  } else if (pulsar->id.minor > 0) {
    const Result<PulsarMessageId> before = DecodePulsarMessageId(EncodePulsarIdBefore(pulsar->id));
    Require(before.ok() && before->id.major == pulsar->id.major &&
                before->id.minor + 1 == pulsar->id.minor,
            "the id before one of Pulsar is the entry before");
  }
  if (const Result<LogPosition> position = ParseLogPosition(bytes); position.ok()) {
    const Result<LogPosition> again = ParseLogPosition(ToString(*position));
    Require(again.ok() && *again == *position, "a position reads back as it was written");
  }
}

}  // namespace
}  // namespace cdc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cdc::fuzz::Run(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
