#include "client/pulsar/pulsar_id.h"

#include <optional>

#include "base/wire.h"

namespace cdc {
namespace {

constexpr uint32_t kLedger = 1;
constexpr uint32_t kEntry = 2;
constexpr uint32_t kPartition = 3;
constexpr uint32_t kBatchIndex = 4;
constexpr uint32_t kBatchSize = 6;

bool IsNegative(uint64_t number) {
  return static_cast<int64_t>(number) < 0;
}

}  // namespace

Result<PulsarMessageId> DecodePulsarMessageId(std::string_view bytes) {
  std::optional<uint64_t> ledger;
  std::optional<uint64_t> entry;
  int64_t batch_index = -1;
  int64_t batch_size = 0;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(kLedger, WireType::kVarint)) ledger = reader.number();
    if (reader.Is(kEntry, WireType::kVarint)) entry = reader.number();
    if (reader.Is(kBatchIndex, WireType::kVarint)) {
      batch_index = static_cast<int32_t>(reader.number());
    }
    if (reader.Is(kBatchSize, WireType::kVarint)) {
      batch_size = static_cast<int32_t>(reader.number());
    }
  }
  if (!reader.ok() || !ledger || !entry) return CorruptError("not a message id of Pulsar");
  if (IsNegative(*ledger) || IsNegative(*entry)) {
    return CorruptError("a message id of Pulsar that names no message");
  }
  return PulsarMessageId{{*ledger, *entry}, batch_index > 0 || batch_size > 1};
}

std::string EncodePulsarId(const LogId& id) {
  WireWriter writer;
  writer.Varint(kLedger, id.major);
  writer.Varint(kEntry, id.minor);
  writer.Varint(kPartition, 0);
  writer.Varint(kBatchIndex, 0);
  return writer.Take();
}

std::string EncodePulsarIdBefore(const LogId& id) {
  WireWriter writer;
  writer.Varint(kLedger, id.major);
  writer.Varint(kEntry, id.minor - 1);
  return writer.Take();
}

}  // namespace cdc
