// Messages of the operation topic.
#include "client/milvus/message_codec.h"
#include "fuzz_check.h"

namespace cdc::fuzz {
namespace {

constexpr LogId kId{0, 4711};

void Run(const std::string& payload) {
  const MemoryBudget budget(payload.size());
  const Result<Operation> operation = DecodeOperation(kId, payload);
  if (!operation.ok()) return RequireCorruptAt(operation.error(), kId);
  Require(operation->id == kId, "an operation knows its position");
  Require(operation->is_flush == (operation->msg_type == 402), "a flush is what says so");
  Require(operation->is_flush || operation->collections.empty(), "only a flush names collections");
  const bool of_user =
      operation->msg_type == 1500 || operation->msg_type == 1502 || operation->msg_type == 1503;
  Require(operation->credential.has_value() == of_user, "what concerns a user says which");
}

}  // namespace
}  // namespace cdc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cdc::fuzz::Run(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
